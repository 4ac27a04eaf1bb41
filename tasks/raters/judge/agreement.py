"""Does a judge come as close to people as people come to each other, and closer than who reads nothing?

The yardstick is the same for all: each person's rating is compared with the mean of the *others'* ratings of the text,
and so are, in that person's place, the judge's, a constant, and the text's length. What is better than the constant
and the length has read the text; what is no worse than a person may stand in for one.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from tasks.raters.agreement import krippendorff_alpha
from tasks.raters.judge.common import Common, codes
from tasks.stats.outcome import NAN, Floats, Labels, nan_mean

PERSON, JUDGE, CONSTANT, LONGER, GAIN = "person", "judge", "constant", "longer", "judge - person"
FIGURES = ("correlation", "difference", "order")
COLUMNS = ("judge", "scope", "who", "n_texts", "n_prompts", "raters",
           *(f"{figure}{end}" for figure in FIGURES for end in ("", "_lo", "_hi")), "n_pairs", "alpha",
           "reason")  # fmt: skip
ALL = "all"
DRAWS = 1000


def agreement(name: str, common: Common, *, confidence: float, seed: int) -> pd.DataFrame:
    """Rows for all texts and for each arm, with exactly `COLUMNS`; intervals by drawing prompts, with replacement.

    `correlation`: of ranks, with the mean of the others. `difference`: mean distance from it, in points. `order`: of
    two texts of one prompt and model that the others tell apart, the share put in the others' order (a tie counts
    half). `alpha`: Krippendorff's, ordinal, the mean over pairs of raters. The row `judge - person` is the difference
    of the two, of the same draws. Where each text has one rater, people cannot be compared with each other.
    """
    arms = common.texts["arm"].to_numpy()
    parts = [] if common.texts.empty else [(ALL, common), *((arm, common.of(arms == arm)) for arm in pd.unique(arms))]
    rows = [row for scope, part in parts for row in _rows(name, scope, part, confidence, seed)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"reason": "str"})


def _rows(name: str, scope: str, part: Common, confidence: float, seed: int) -> Iterator[dict[str, Any]]:
    alone = bool(np.isnan(part.others).all())
    target = part.people if alone else part.others
    text, rater = np.nonzero(~np.isnan(target))
    truth = target[text, rater]
    prompt, n_prompts = codes(part.texts["prompt_id"].to_numpy()[text])
    places, _ = codes(zip(prompt, part.texts["model"].to_numpy()[text], rater, strict=True))
    counts = np.random.default_rng(seed).multinomial(n_prompts, np.full(n_prompts, 1 / n_prompts), size=DRAWS)
    drawn: dict[str, Floats] = {}
    for who, values in (
        (PERSON, part.people[text, rater]),
        (JUDGE, part.judge[text]),
        (CONSTANT, np.full(len(text), np.median(truth))),
        (LONGER, part.length[text]),
    ):
        sums = _sums(who, values, truth, prompt, n_prompts, places)
        missing = who == PERSON and alone
        at = figures(sums.sum(axis=0)) if not missing else np.full(len(FIGURES), NAN)
        drawn[who] = figures(counts @ sums) if not missing else np.full((DRAWS, len(FIGURES)), NAN)
        pairs = 0 if missing else int(sums[:, -1].sum())
        yield _row(name, scope, who, part, n_prompts, at, drawn[who], confidence) | {
            "n_pairs": pairs, "alpha": _alpha(who, part),
            "reason": "each text has one rater" if missing else None}  # fmt: skip
        drawn[f"{who} at"] = at
    at, draws = drawn[f"{JUDGE} at"] - drawn[f"{PERSON} at"], drawn[JUDGE] - drawn[PERSON]
    yield _row(name, scope, GAIN, part, n_prompts, at, draws, confidence)


def _row(name: str, scope: str, who: str, part: Common, n_prompts: int, at: Floats, draws: Floats,
         confidence: float) -> dict[str, Any]:
    row: dict[str, Any] = {"judge": name, "scope": scope, "who": who, "n_texts": len(part.texts),
                           "n_prompts": n_prompts, "raters": int((~np.isnan(part.people)).any(axis=0).sum())}
    for place, figure in enumerate(FIGURES):
        values = draws[:, place][~np.isnan(draws[:, place])]
        enough = n_prompts > 1 and len(values) >= len(draws) / 2 and not np.isnan(at[place])
        ends = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2]) if enough else (NAN, NAN)
        row |= {figure: float(at[place]), f"{figure}_lo": float(ends[0]), f"{figure}_hi": float(ends[1])}
    return row


def _sums(who: str, values: Floats, truth: Floats, prompt: Labels, n_prompts: int, places: Labels) -> Floats:
    """(prompts, 9): of each prompt what `figures` needs, so that prompts can be drawn without another look at texts."""
    x, y = (rankdata(side) - (len(side) + 1) / 2 for side in (values, truth))
    distance = np.abs(values - truth) if who != LONGER else np.full(len(values), NAN)  # words are no points
    columns = [np.ones(len(x)), x, y, x * x, y * y, x * y, distance]
    sums = np.stack([np.bincount(prompt, column, n_prompts) for column in columns], axis=1)
    right, pairs = _ordered(values, truth, prompt, n_prompts, places)
    return np.column_stack([sums, right, pairs])


def _ordered(values: Floats, truth: Floats, prompt: Labels, n_prompts: int, places: Labels) -> tuple[Floats, Floats]:
    """(prompts,) twice: pairs put in the right order, and pairs that the truth tells apart, within `places`."""
    right, pairs = np.zeros(n_prompts), np.zeros(n_prompts)
    for rows in pd.Series(np.arange(len(places))).groupby(places).indices.values():
        a, b = np.triu_indices(len(rows), 1)
        apart = np.sign(truth[rows[a]] - truth[rows[b]])
        told = np.sign(values[rows[a]] - values[rows[b]])
        right[prompt[rows[0]]] += ((1 + apart * told) / 2)[apart != 0].sum()
        pairs[prompt[rows[0]]] += (apart != 0).sum()
    return right, pairs


def figures(sums: Floats) -> Floats:
    """(..., 3): `FIGURES`, from sums (..., 9) over any prompts."""
    n, x, y, xx, yy, xy, distance, right, pairs = np.moveaxis(sums.astype(np.float64), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = (xx - x * x / n) * (yy - y * y / n)
        correlation = np.where(spread > 1e-9, (xy - x * y / n) / np.sqrt(np.maximum(spread, 1e-300)), NAN)
        return np.stack([correlation, distance / n, right / pairs], axis=-1)


def _alpha(who: str, part: Common) -> float:
    """Krippendorff's alpha of two at a time: people with each other, or the judge with each of them."""
    count = part.people.shape[1]
    if who == PERSON:
        two = [part.people[:, [i, j]] for i in range(count) for j in range(i + 1, count)]
    elif who == JUDGE:
        two = [np.column_stack([part.judge, part.people[:, i]]) for i in range(count)]
    else:
        return NAN
    return float(nan_mean(np.array([krippendorff_alpha(ratings) for ratings in two] or [NAN]), axis=0))
