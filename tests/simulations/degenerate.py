"""Input that leaves a test nothing to work with: p null with a reason, and the family as large as it was planned."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from tasks.stats.contrasts import contrasts
from tasks.stats.outcome import NAN
from tasks.stats.plan import Plan
from tasks.stats.trend import trend
from tests.simulations.references import Figure

MODELS = {"small": 1e8, "large": 1e9}
ARMS = {"base": ("base", None), "control": ("control", 1), "control-2": ("control", 2), "values": ("values", 1),
        "values-2": ("values", 2)}
PLAN = Plan("made", models=(*MODELS, "never fetched"), permutations=99)


def scores(seed: int = 9) -> pd.DataFrame:
    """A sweep of two models and two seeds, 40 prompts in 8 categories, one sample each; a third model was planned."""
    rng = np.random.default_rng(seed)
    rows = [(model, params, arm, dataset, number, f"c{p % 8}", f"p{p}", rng.normal())
            for model, params in MODELS.items()
            for arm, (dataset, number) in ARMS.items() for p in range(40)]
    names = ["model", "params", "arm", "dataset", "seed", "category", "prompt_id", "score"]
    return pd.DataFrame(rows, columns=names).assign(metric="made", model_family="made", sample=0)


def _missing(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(score=table["score"].where((table["dataset"] != "control") | (table["model"] != "large")))


def _tied(table: pd.DataFrame) -> pd.DataFrame:
    """Every arm gives a prompt the same score."""
    return table.assign(score=table.groupby("prompt_id")["score"].transform("first"))


CASES: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], int, int]] = {  # tests without p: contrasts, slopes
    "constant": (lambda table: table.assign(score=3.0), 6, 4),
    "missing": (_missing, 3, 2),
    "all-tied": (_tied, 6, 4),
}


def degenerate() -> Iterator[Figure]:
    """For each kind of input: tests without p, of which all have a reason and count as 1, and the families' sizes."""
    for name, (change, lost_contrasts, lost_slopes) in CASES.items():
        found = contrasts(change(scores()), PLAN)
        confirmatory, slopes = found[found["family"] == "confirmatory"], trend(change(scores()), PLAN)
        for kind, rows, lost, m in (("contrasts", confirmatory, lost_contrasts, 6), ("slopes", slopes, lost_slopes, 2)):
            null = rows[rows["p"].isna()]
            stated = null["reason"].notna() & (null["p_corr"] == 1)
            yield Figure(f"{name} input, {kind}: p null with a reason", int(stated.sum()), lost, lost)
            yield Figure(f"{name} input, {kind}: p null without one", int((~stated).sum()), 0, 0)
            sizes = rows["m"].unique()
            yield Figure(f"{name} input, {kind}: family size unchanged", sizes[0] if len(sizes) == 1 else NAN, m, m)
