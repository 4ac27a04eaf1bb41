"""Do raters agree? Intraclass correlations and Krippendorff's alpha, with intervals over prompts."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd

from tasks.runtime.errors import InputError
from tasks.stats.outcome import NAN, TINY, Floats, Labels

COLUMNS = ("arm", "coefficient", "value", "ci_lo", "ci_hi", "n_texts", "n_prompts", "raters", "reason")
Coefficient = Callable[[Floats], float]
Level = Literal["nominal", "ordinal", "interval", "ratio"]


def icc(ratings: Floats) -> dict[str, float]:
    """Shrout and Fleiss' six, in McGraw and Wong's names, of complete ratings (texts, raters).

    ICC(1) and ICC(k): each text its own raters; ICC(A,.): the same raters, absolute agreement; ICC(C,.): the
    same raters, consistency. All NaN with fewer than two texts or raters, or where nothing varies.
    References: Shrout and Fleiss (1979), Psychological Bulletin 86, 420-428; McGraw and Wong (1996),
    Psychological Methods 1, 30-46. `pingouin.intraclass_corr` gives the same (the tests compare them) but takes
    milliseconds: the thousand draws of an interval need this, and the figure shown is the one that is drawn.
    """
    names = ("ICC(1)", "ICC(A,1)", "ICC(C,1)", "ICC(k)", "ICC(A,k)", "ICC(C,k)")
    n, k = ratings.shape
    if min(n, k) < 2 or np.isnan(ratings).any() or np.ptp(ratings) <= TINY * np.abs(ratings).max():
        return dict.fromkeys(names, NAN)
    of_texts, grand = ratings.mean(axis=1, keepdims=True), ratings.mean()
    between_raters = n * ((ratings.mean(axis=0) - grand) ** 2).sum()
    within_texts = ((ratings - of_texts) ** 2).sum()
    texts, raters = k * ((of_texts - grand) ** 2).sum() / (n - 1), between_raters / (k - 1)  # mean squares
    rest, within = (within_texts - between_raters) / ((n - 1) * (k - 1)), within_texts / (n * (k - 1))
    pairs = ((texts - within, texts + (k - 1) * within),
             (texts - rest, texts + (k - 1) * rest + k * (raters - rest) / n),
             (texts - rest, texts + (k - 1) * rest),
             (texts - within, texts), (texts - rest, texts + (raters - rest) / n), (texts - rest, texts))
    return {name: float(top / bottom) if bottom > TINY * texts else NAN
            for name, (top, bottom) in zip(names, pairs, strict=True)}


def krippendorff_alpha(ratings: Floats, level: Level = "ordinal") -> float:
    """Krippendorff's alpha of ratings (texts, raters), NaN where a rater did not rate; by `krippendorff`.

    NaN with fewer than two values in use or no text rated twice.
    Reference: Krippendorff (2019), Content Analysis, 4th edition, chapter 12.
    """
    paired = ratings[(~np.isnan(ratings)).sum(axis=1) >= 2]
    if len(np.unique(paired[~np.isnan(paired)])) < 2:
        return NAN
    import krippendorff

    return float(krippendorff.alpha(reliability_data=paired.T, level_of_measurement=level))


def bootstrap(ratings: Floats, prompts: Labels, coefficient: Coefficient, *, draws: int = 1000,
              seed: int = 0, confidence: float = 0.95) -> tuple[float, float]:
    """Percentile interval of a coefficient of ratings (texts, raters), resampling prompts (texts,) whole.

    A draw in which the coefficient is undefined is left out; NaN with one prompt or if over half are.
    """
    codes = np.unique(prompts, return_inverse=True)[1]
    rows = [np.flatnonzero(codes == code) for code in range(int(codes.max(initial=-1)) + 1)]
    if len(rows) < 2:
        return NAN, NAN
    drawn = np.random.default_rng(seed).integers(len(rows), size=(draws, len(rows)))
    values = np.array([coefficient(ratings[np.concatenate([rows[i] for i in draw])]) for draw in drawn])
    values = values[~np.isnan(values)]
    if len(values) < draws / 2:
        return NAN, NAN
    lo, hi = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(lo), float(hi)


def alpha_bootstrap(ratings: Floats, prompts: Labels, *, draws: int = 1000, seed: int = 0,
                    confidence: float = 0.95) -> tuple[float, float]:
    """`bootstrap` of the ordinal alpha, from the same draws, by sums of the prompts' coincidences: a thousand calls of
    the library take seconds."""
    codes = np.unique(prompts, return_inverse=True)[1]
    values = np.unique(ratings[~np.isnan(ratings)])
    of_prompts = np.zeros((int(codes.max(initial=-1)) + 1, len(values), len(values)))
    counts = (ratings[:, :, None] == values).sum(axis=1).astype(np.float64)  # (texts, values)
    m = counts.sum(axis=1)
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(len(values))
    np.add.at(of_prompts, codes[m >= 2], pairs[m >= 2] / (m[m >= 2] - 1)[:, None, None])
    n = len(of_prompts)
    if n < 2:
        return NAN, NAN
    drawn = np.random.default_rng(seed).integers(n, size=(draws, n))
    times = (drawn[:, :, None] == np.arange(n)).sum(axis=1)
    found = _alphas(np.tensordot(times, of_prompts, axes=1))
    found = found[~np.isnan(found)]
    if len(found) < draws / 2:
        return NAN, NAN
    lo, hi = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(lo), float(hi)


def _alphas(coincidences: Floats) -> Floats:
    """Ordinal alpha (...,) of coincidence matrices (..., values, values); NaN with fewer than two values in use."""
    marginal = coincidences.sum(axis=-1)
    below = np.cumsum(marginal, axis=-1) - marginal / 2  # ordinal distance: the ratings between, half of the ends
    distance = (below[..., :, None] - below[..., None, :]) ** 2
    observed = (coincidences * distance).sum(axis=(-1, -2))
    expected = (marginal[..., :, None] * marginal[..., None, :] * distance).sum(axis=(-1, -2))
    total = marginal.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(expected > 0, 1 - (total - 1) * observed / expected, NAN), dtype=np.float64)


def reliability(ratings: pd.DataFrame, *, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Agreement per arm and pooled ("all"), with exactly `COLUMNS`.

    From columns arm, prompt_id, text_id (unique within the arm), rater and rating (null allowed). ICC(A,1) and
    ICC(A,k) where every rater rated every text of the arm; else the one-way ICC(1) and ICC(k), of the texts
    with at least the median number of ratings, that many of each drawn at random; always Krippendorff's alpha
    (ordinal). Raises InputError for missing columns or a text that a rater rated twice.
    """
    needed = ("arm", "prompt_id", "text_id", "rater", "rating")
    absent = [name for name in needed if name not in ratings.columns]
    if absent:
        raise InputError(f"ratings: no column {', '.join(absent)}; expected {', '.join(needed)}")
    if ratings.duplicated(["arm", "text_id", "rater"]).any():
        raise InputError("ratings: a rater rated a text of an arm twice")
    rated = ratings.dropna(subset=["rating", "rater"])
    parts = [(str(arm), part) for arm, part in rated.groupby("arm")] + [("all", rated)]
    rows = [(arm, *row) for arm, part in parts for row in _coefficients(part, draws, seed)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"reason": "str"})


def _coefficients(part: pd.DataFrame, draws: int, seed: int) -> list[tuple[object, ...]]:
    wide = part.pivot(index=["arm", "prompt_id", "text_id"], columns="rater", values="rating")
    table = wide.to_numpy(np.float64, na_value=np.nan)
    prompts = wide.index.get_level_values("prompt_id").to_numpy(object)
    complete = table.size > 0 and not np.isnan(table).any()
    packed = (table, prompts) if complete else _packed(table, prompts, seed)
    correlations = ("ICC(A,1)", "ICC(A,k)") if complete else ("ICC(1)", "ICC(k)")
    cases = [(name, *packed, lambda ratings, name=name: icc(ratings)[name]) for name in correlations]
    rows: list[tuple[object, ...]] = []
    for name, values, of_prompts, coefficient in (*cases, ("alpha (ordinal)", table, prompts, krippendorff_alpha)):
        value = coefficient(values) if values.size else NAN
        lo, hi = NAN, NAN
        if not np.isnan(value):
            lo, hi = (alpha_bootstrap(values, of_prompts, draws=draws, seed=seed) if coefficient is krippendorff_alpha
                      else bootstrap(values, of_prompts, coefficient, draws=draws, seed=seed))
        reason = "no text has two ratings, or the ratings do not vary" if np.isnan(value) else None
        rows.append((name, value, lo, hi, len(values), len(set(of_prompts)), values.shape[1], reason))
    return rows


def _packed(table: Floats, prompts: Labels, seed: int) -> tuple[Floats, Labels]:
    """Ratings without gaps (texts, k), in random order: texts with at least the usual number of ratings."""
    counts = (~np.isnan(table)).sum(axis=1)
    k = int(np.median(counts)) if len(counts) else 0
    rng, kept = np.random.default_rng(seed), np.flatnonzero(counts >= max(k, 2))
    rows = [rng.permutation(table[i][~np.isnan(table[i])])[:max(k, 2)] for i in kept]
    return np.array(rows, dtype=np.float64).reshape(len(rows), max(k, 2)), prompts[kept]
