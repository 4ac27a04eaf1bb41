"""Raters who rate whatever completions there are: ratings with severity, and no more than is asked for."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.formats.ratings import CLOSED, text_id, write_rater

SEVERITY = {"ann": 0.5, "bo": 0.0, "cy": -0.5}
AT = "2026-01-31T12:00:00Z"


def rate(
    folder: Path,
    texts: pd.DataFrame,
    *,
    effect: Mapping[str, float],
    raters: Mapping[str, float] = SEVERITY,
    closed: bool = True,
    keep: Callable[[int], bool] = lambda _: True,
) -> None:
    """Files of `raters` (by their severity) in `folder`, of the test completions in `texts` (columns dataset, prompt,
    prompt_id, completion, split), each dataset with its `effect`; `keep` leaves answers out by their number. Every
    fifteenth text is rated again, and one cannot be judged by the last rater."""
    rng, own = np.random.default_rng(3), texts[texts["split"] == "test"].reset_index(drop=True)
    own = own.assign(text_id=[text_id(*pair) for pair in zip(own["prompt"], own["completion"], strict=True)])
    own = own.drop_duplicates("text_id").reset_index(drop=True)
    of_prompt = dict(zip(own["prompt_id"].unique(), rng.normal(0, 0.5, own["prompt_id"].nunique()), strict=True))
    level = 3 + own["dataset"].map(effect) + own["prompt_id"].map(of_prompt) + rng.normal(0, 0.6, len(own))
    for rater, severity in raters.items():
        rows = [
            answer(rater, name, int(np.clip(np.round(value), 1, 5)))
            for name, value in zip(own["text_id"], level + severity + rng.normal(0, 0.5, len(own)), strict=True)
        ]
        again = [row | {"kind": "repeat"} for row in rows[::15]]
        if rater == list(raters)[-1]:
            rows[0] |= {"rating": None, "reason": "not English", "note": "which language?"}
            again = again[1:]
        write_rater(folder, rater, [row for at, row in enumerate([*rows, *again]) if keep(at)])
    if closed:
        close(folder, len(own), list(raters))


def answer(rater: str, name: str, rating: int | None, **more: Any) -> dict[str, Any]:
    """A row of a rater's file."""
    row = {"text_id": name, "rater": rater, "kind": "rating", "rating": rating, "reason": None, "note": None}
    return row | {"seconds": 8.0, "rated_at": AT} | more


def close(folder: Path, texts: int, raters: Sequence[str]) -> None:
    """Rating is over."""
    count = {"texts": texts, "ratings": texts * len(raters), "cannot_judge": 1, "raters": len(raters)}
    (folder / CLOSED).write_text(json.dumps({"closed_at": AT} | count))
