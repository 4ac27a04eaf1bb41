"""What the models write: every test prompt with its completions side by side, their toxicity and their ratings."""

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import pandas as pd

from tasks.formats.checkpoints import BASE
from tasks.formats.ratings import METRIC
from tasks.inputs.characters import visible
from tasks.inputs.dataset import Prompt
from tasks.reporting.data.study import Study
from tasks.reporting.page.section import Results, Section
from tasks.reporting.tables.columns import columns
from tasks.reporting.tables.tables import shown
from tasks.reporting.words.terms import counted, known, number, signed
from tasks.text.loops import loops
from tasks.text.shown import excerpt

EXTREMES = 3  # prompts named as those with the largest and the smallest gains
BUDGET = 1_200_000  # bytes of completions in the page, which stays below 3 MB with everything else
BRIEF = 240  # characters of a completion on the first screen

Place = tuple[str, str, str, int]  # model, arm, prompt, sample


class Shown(NamedTuple):
    """A completion, safe to show; `remarks` say what is odd about it, and its scores."""

    text: str
    remarks: Sequence[str]


class Row(NamedTuple):
    """One sample of one prompt at one model: a completion for each dataset, in the page's order."""

    model: str
    place: int  # of the model on the ladder, from 1
    seed: int  # of the arms: 1 for the first of each dataset
    sample: int
    sides: Sequence[tuple[str, Shown | None]]  # by dataset


@dataclass(frozen=True)
class View:
    """A prompt with its completions, and what it can be sorted by."""

    number: int  # in drawn order, from 1
    prompt: Prompt
    gain: float  # of target over control in the primary metric, all models together
    toxicity: float  # the highest of the target's texts
    rows: Sequence[Row]

    @property
    def effect(self) -> str:
        """The gain as it is read."""
        return f"gain {signed(self.gain)}"


@dataclass(frozen=True)
class Completions:
    """Every completion of the test prompts, and what was said of each."""

    study: Study
    texts: Mapping[Place, tuple[str, str]]  # completion and finish reason
    toxicity: Mapping[Place, float]
    ratings: Mapping[Place, tuple[float, int]]  # mean, and of how many

    @classmethod
    def of(cls, study: Study) -> "Completions":
        """Those of a study."""
        keys = ["model", "arm", "prompt_id", "sample"]
        scores, rated = study.toxicity, study.rated.get(METRIC)
        scores = scores[(scores["variant"] == "first_n") & (scores["attribute"] == study.config.secondary)]
        texts, means = study.test_completions, pd.DataFrame(columns=[*keys, "mean", "count"])
        if rated is not None:
            means = rated.groupby(keys)["score"].agg(["mean", "count"]).reset_index()
        return cls(
            study,
            dict(zip(_places(texts), zip(texts["completion"], texts["finish_reason"], strict=True), strict=True)),
            dict(zip(_places(scores), scores["score"], strict=True)),
            dict(zip(_places(means), zip(means["mean"], means["count"], strict=True), strict=True)),
        )

    def shown(self, place: Place, longest: int | None = None) -> Shown | None:
        """One of them, cut to so many characters."""
        if place not in self.texts:
            return None
        text, finish = self.texts[place]
        drawn, left = excerpt(text, longest) if longest else excerpt(text)
        remarks = list(self._scores(place))
        if not visible(text):
            return Shown("", ["empty", *remarks])
        if loops(text):
            remarks.append("loops")
        if left and longest:
            drawn += " […]"
        elif left:
            remarks.append(f"{counted(left, 'character')} more not shown")
        if finish == "length":
            remarks.append("cut off")
        return Shown(drawn, remarks)

    def _scores(self, place: Place) -> Iterator[str]:
        if known(score := self.toxicity.get(place)):
            yield f"toxicity {number(score, 2)}"
        mean, count = self.ratings.get(place, (None, 0))
        if known(mean):
            yield f"rated {number(mean, 1)} by {count}"


def _places(table: pd.DataFrame) -> Iterator[Place]:
    for model, arm, prompt, sample in table[["model", "arm", "prompt_id", "sample"]].itertuples(index=False, name=None):
        yield str(model), str(arm), str(prompt), int(sample)


def section(results: Results) -> Section:
    """Every test prompt in drawn order with its completions, and how many of them say little."""
    study = results.study
    completions = Completions.of(study)
    gains = results.prompts.groupby("prompt_id", sort=False)["effect"].mean().to_dict()
    sets, left_out = _affordable(completions)
    views = [
        _view(completions, number_, name, gains.get(name, float("nan")), sets)
        for number_, name in enumerate(drawn(study), 1)
    ]
    views = [view for view in views if view.rows]
    ranked = sorted((view for view in views if known(view.gain)), key=lambda view: -view.gain)
    count = min(EXTREMES, len(ranked) // 2)
    content = {
        "views": views,
        "best": ranked[:count],
        "worst": ranked[::-1][:count],
        "left_out": left_out,
        "engine": study.completions["engine"].iloc[0],
        "ended": _ended(results.arms),
    }
    rates = columns("model arm completions ended words_median empty looping")
    arms = results.arms.assign(ended=(results.arms["completions"] * (1 - results.arms["cut"])).round())
    tables = [shown("rates", "Completions that ended by themselves, are empty or loop", arms, rates, results.arms)]
    return Section("samples", "Samples", "What the models write", content, tables=tables)


def _ended(arms: pd.DataFrame) -> tuple[int, int]:
    """How many completions ended by themselves, of how many; all arms together."""
    return round((arms["completions"] * (1 - arms["cut"])).sum()), int(arms["completions"].sum())


def drawn(study: Study) -> list[str]:
    """The test prompts in an order drawn by `report.seed`; another prompt moves none of the others."""
    lots = {p.id: hashlib.sha256(f"{study.report.seed}:{p.id}".encode()).hexdigest() for p in study.test_prompts}
    return sorted(lots, key=lots.__getitem__)


def example(study: Study) -> dict[str, Any]:
    """The first prompt that was drawn: what the largest model wrote before fine-tuning and after it."""
    completions, model, sides = Completions.of(study), study.models[-1], (BASE, study.config.target)
    for name in drawn(study):
        texts = [(side, completions.shown((model, study.arms_of(side)[0], name, 0), BRIEF)) for side in sides]
        if any(text for _, text in texts):
            return {"prompt": study.prompts[name], "sides": texts, "model": model}
    return {}


Set = tuple[str, int, int]  # model, place of the seed, sample


def _affordable(completions: Completions) -> tuple[list[Set], str]:
    """The sets that fit in the page: the first samples and seeds first, of the largest model first."""
    study, sizes = completions.study, dict[Set, int]()
    seeds = {arm: place for name in study.named for place, arm in enumerate(study.arms_of(name))}
    for (model, arm, _, sample), (text, _) in completions.texts.items():
        size = len(escape(excerpt(text)[0]).encode("utf-8", "replace")) + 240
        sizes[model, seeds[arm], sample] = sizes.get((model, seeds[arm], sample), 0) + size
    sets = sorted(sizes, key=lambda each: (each[1], each[2], -study.models.index(each[0])))
    spent = itertools.accumulate(sizes[each] for each in sets)
    affordable = [each for each, bytes_ in zip(sets, spent, strict=True) if bytes_ <= BUDGET or each == sets[0]]
    left_out = f"{len(sets) - len(affordable)} of {len(sets)} sets of completions are left out here"
    return affordable, f"{left_out} to keep the page small." if len(affordable) < len(sets) else ""


def _view(completions: Completions, place: int, name: str, gain: float, sets: Sequence[Set]) -> View:
    study, target = completions.study, completions.study.config.target
    places = {model: place for place, model in enumerate(study.models, 1)}
    rows = []
    for model, seed, sample in sets:
        of_seed = {side: study.arms_of(side)[0 if side == BASE else seed :][:1] for side in study.named}
        sides = [
            (side, completions.shown((model, arm, name, sample))) for side, arms in of_seed.items() for arm in arms
        ]
        if any(text for _, text in sides):
            rows.append(Row(model, places[model], seed + 1, sample, sides))
    scores = [score for (_, arm, prompt, _), score in completions.toxicity.items()
              if prompt == name and arm in study.arms_of(target) and known(score)]  # fmt: skip
    return View(place, study.prompts[name], gain, max(scores, default=float("nan")), rows)
