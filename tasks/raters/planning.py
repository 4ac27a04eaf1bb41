"""`palms power`: what a plan of ratings can find and what it costs, before anyone is paid."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.formats.checkpoints import Source, checkpoints, read_source
from tasks.formats.ratings import METRIC, read_progress
from tasks.formats.scores import read_scores
from tasks.inputs.dataset import load_prompts
from tasks.raters.power import Design, Spread, detectable, power, prompts_for, spread_of
from tasks.raters.turns import SECONDS
from tasks.runtime import config
from tasks.settings.generate import Generate
from tasks.settings.ratings import Ratings
from tasks.settings.significance import Significance
from tasks.settings.sweep import Arm, Sweep
from tasks.stats.plan import plan_of

# Before there are ratings: those of the simulations in docs/method.md, whose plan finds about .4 points by one test.
ASSUMED = Spread(prompt=0.60, sample=0.74, rater=0.60, seed=0.10)
CHOICES = (1, 2, 3, 5)  # of samples and raters that are tried
LISTED = 6  # plans


@dataclass(frozen=True)
class Asked:
    """What is asked for: a difference in points and a power, and what differs from the present plan (None: nothing)."""

    difference: float = 0.4
    power: float = 0.8
    prompts: int | None = None
    samples: int | None = None
    raters: int | None = None
    seeds: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Cost:
    """What every prompt, sample and rater is multiplied with: models and arms, and what a rating takes."""

    models: int
    arms: int  # datasets besides base; each has all its seeds
    seconds: float
    extra: float  # repeats and attention items, as a share of the ratings

    def texts(self, design: Design) -> int:
        """The completions to rate, if no two are alike."""
        return design.prompts * design.samples * self.models * (1 + self.arms * design.seeds)

    def hours(self, design: Design) -> float:
        """Of rating, of all raters together."""
        return self.texts(design) * design.raters * (1 + self.extra) * self.seconds / 3600


def report(root: Path, asked: Asked) -> Iterator[str]:
    """The lines of `palms power` for the tree at `root`. Raises InputError for parameters or data that are wrong."""
    params = config.read_params(root / config.PARAMS_FILE.name)
    design, cost, spread, source = _plan(root, params, asked)
    significance = config.section(params, "significance", Significance)
    alpha = 1 - significance.confidence
    alone = replace(design, tests=1)
    yield (
        f"{design.prompts} prompts in {design.categories} categories, {design.samples} samples, "
        f"{design.raters} raters, {_counted(design.seeds, 'training seed')}, {_counted(cost.models, 'model')}: "
        f"{cost.texts(design):,} texts, "
        f"{cost.texts(design) * design.raters:,} ratings, {cost.hours(design):.1f} hours of rating at "
        f"{cost.seconds:.0f} s a text ({cost.hours(design) / design.raters:.1f} for each of {design.raters} people)"
    )
    yield (
        f"spread in points ({source}): {spread.prompt:.2f} between prompts, {spread.sample:.2f} between samples, "
        f"{spread.rater:.2f} between ratings of one text, {spread.seed:.2f} between seeds"
    )
    yield (
        f"finds with {asked.power:.0%} power: {detectable(alone, spread, asked.power, alpha=alpha):.2f} points by one "
        f"test, {detectable(design, spread, asked.power, alpha=alpha):.2f} as the first of the family of {design.tests}"
    )
    own = power(design, spread, asked.difference, alpha=alpha)
    yield f"power for {asked.difference:g} points: {own:.0%} in the family"
    yield from _plans(design, spread, cost, asked, alpha)
    if design.seeds == 1:
        yield "with one training seed a difference is about these checkpoints, not about the dataset: try --seeds 3"


def _plans(design: Design, spread: Spread, cost: Cost, asked: Asked, alpha: float) -> Iterator[str]:
    """The cheapest plans that find the difference."""
    tried = [replace(design, samples=samples, raters=raters) for samples in CHOICES for raters in CHOICES]
    plans = []
    for one in tried:
        if (prompts := prompts_for(one, spread, asked.difference, asked.power, alpha=alpha)) is not None:
            plans.append(replace(one, prompts=prompts))
    if not plans:
        yield f"no plan of up to 1,000 prompts finds {asked.difference:g} points with these seeds; more seeds may"
        return
    yield f"plans that find {asked.difference:g} points with {asked.power:.0%} power, fewest hours first:"
    yield "  prompts  samples  raters  texts   hours"
    for one in sorted(plans, key=lambda plan: (cost.hours(plan), plan.prompts))[:LISTED]:
        yield f"  {one.prompts:7}  {one.samples:7}  {one.raters:6}  {cost.texts(one):5,}  {cost.hours(one):6.1f}"


def _plan(root: Path, params: Mapping[str, Any], asked: Asked) -> tuple[Design, Cost, Spread, str]:
    rules, sweep = config.section(params, "ratings", Ratings), config.section(params, "sweep", Sweep)
    arms = config.section(params, "arms", dict[str, Arm])
    seeds = [arm.dataset for name, arm in arms.items() if name in sweep.tuned and arm.limit is None]
    prompts = [prompt for prompt in load_prompts(root / "data/prompts") if prompt.split == rules.split]
    samples = getattr(config.section(params, "generate", Generate).samples, rules.split)
    design = Design(
        prompts=asked.prompts or len(prompts),
        categories=len({prompt.category for prompt in prompts}),
        samples=asked.samples or samples,
        raters=asked.raters or rules.raters_per_sample,
        seeds=asked.seeds or min((seeds.count(name) for name in set(seeds)), default=1),
        tests=2 * len(sweep.models),
    )
    spread, source = _spread(root, params, sweep, arms)
    seconds = asked.seconds or _seconds(root)
    extra = 1 / rules.attention_every + 1 / rules.repeat_every
    return design, Cost(len(sweep.models), len(set(seeds)), seconds, extra), spread, source


def _spread(root: Path, params: Mapping[str, Any], sweep: Sweep, arms: Mapping[str, Arm]) -> tuple[Spread, str]:
    """Of the ratings that are there and closed, or as assumed; and which."""
    path, made = root / "data/made/scores/ratings.parquet", root / "data/made"
    if path.is_file() and len(scores := read_scores(path)):
        ladder = {(c.model, c.arm): c for c in checkpoints(sweep, arms)}
        own = [ladder.get(key) for key in zip(scores["model"], scores["arm"], strict=True)]
        scores = scores[[c is not None for c in own]]
        of = [c for c in own if c is not None]
        sources = {model: read_source(made / "sources", model) for model in sweep.models}
        plan = plan_of(config.section(params, "significance", Significance), sweep)
        found = spread_of(_full(scores, [c.dataset for c in of], [c.seed for c in of], sources), plan, METRIC)
        if found is not None:
            return found, f"of {int(scores['score'].notna().sum()):,} ratings"
    return ASSUMED, "assumed, for want of ratings"


def _full(scores: pd.DataFrame, datasets: list[str], seeds: list[int], sources: Mapping[str, Source]) -> pd.DataFrame:
    params = {model: source.parameters for model, source in sources.items()}
    families = {model: source.family for model, source in sources.items()}
    return scores.assign(
        dataset=datasets,
        seed=seeds,
        params=scores["model"].map(params),
        model_family=scores["model"].map(families),
    )


def _seconds(root: Path) -> float:
    """What a rating took in the middle, or as assumed."""
    if (root / "data/made/ratings/progress.csv").is_file():
        seconds = float(read_progress(root / "data/made/ratings")["seconds"])
        return seconds if seconds > 0 else SECONDS  # also where it is NaN
    return SECONDS


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
