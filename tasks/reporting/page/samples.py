"""Completions side by side: base, control and target, for prompts nobody selected, and for the best and the worst."""

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from tasks.inputs.characters import visible
from tasks.inputs.dataset import Prompt
from tasks.reporting.data.study import Study
from tasks.reporting.page.section import Results, Section
from tasks.reporting.tables.columns import columns
from tasks.reporting.tables.tables import shown
from tasks.reporting.words.terms import counted, signed
from tasks.text.loops import loops
from tasks.text.shown import excerpt

EXTREMES = 3  # prompts shown as the best and as the worst by effect
BUDGET = 2_500_000  # bytes of completions in the page, which stays below 5 MB with everything else


class Shown(NamedTuple):
    """A completion, safe to show; `remarks` say what is odd about it."""

    text: str
    remarks: Sequence[str]


class Row(NamedTuple):
    """One sample of one prompt at one model: a completion for each dataset, in the page's order."""

    model: str
    place: int  # of the model on the ladder, from 1
    sample: int
    sides: Sequence[tuple[str, Shown | None]]


@dataclass(frozen=True)
class View:
    """A prompt with its completions."""

    prompt: Prompt
    effect: str
    first: Sequence[Row]  # of each model, the largest model's first
    more: Sequence[Row]  # shown once they are unfolded


def section(results: Results) -> Section:
    """Every test prompt in drawn order with its completions, the best and the worst, and what says little."""
    study = results.study
    by_prompt = results.prompts.groupby("prompt_id", sort=False)["effect"].mean().dropna()
    effects = by_prompt.sort_values(ascending=False, kind="stable")
    texts = _texts(study)
    drawn = [name for name in _drawn(study) if any(key[2] == name for key in texts)]
    sets, left_out = _affordable(study, texts)

    def views(names: Iterable[object], sets: Sequence[tuple[str, int]]) -> list[View]:
        return [_view(study, str(name), effects.get(name), texts, sets) for name in names]

    count = min(EXTREMES, len(effects) // 2)
    content = {
        "views": views(drawn, sets),
        "best": views(effects.index[:count], sets[:1]),
        "worst": views(effects.index[::-1][:count], sets[:1]),
        "left_out": left_out,
        "engine": study.completions["engine"].iloc[0],
    }
    rates = columns("model arm completions words_median empty looping cut")
    tables = [shown("rates", "Empty, looping and cut completions", results.arms, rates)]
    return Section("samples", "Samples", "What the models write", content, tables=tables)


def _drawn(study: Study) -> list[str]:
    """The test prompts in an order drawn by `report.seed`; another prompt moves none of the others."""
    drawn = {p.id: hashlib.sha256(f"{study.report.seed}:{p.id}".encode()).hexdigest() for p in study.test_prompts}
    return sorted(drawn, key=drawn.__getitem__)


Texts = dict[tuple[str, str, str, int], tuple[str, str]]  # model, dataset, prompt, sample -> completion, finish reason


def _texts(study: Study) -> Texts:
    """The completions of the first arm of each dataset."""
    first = {study.arms_of(name)[0] for name in study.named}
    return {
        (row["model"], row["dataset"], row["prompt_id"], int(row["sample"])): (row["completion"], row["finish_reason"])
        for row in study.test_completions.to_dict("records")
        if row["arm"] in first
    }


def _affordable(study: Study, texts: Texts) -> tuple[list[tuple[str, int]], str]:
    """The (model, sample) that fit in the page, largest model first and the first samples first."""
    sizes: dict[tuple[str, int], int] = {}
    for (model, _, _, sample), (text, _) in texts.items():
        size = len(escape(excerpt(text)[0]).encode("utf-8", "replace")) + 200
        sizes[model, sample] = sizes.get((model, sample), 0) + size
    sets = sorted(sizes, key=lambda each: (each[1], -study.models.index(each[0])))
    spent = itertools.accumulate(sizes[each] for each in sets)
    affordable = [each for each, bytes_ in zip(sets, spent, strict=True) if bytes_ <= BUDGET or each == sets[0]]
    left_out = f"{len(sets) - len(affordable)} of {len(sets)} sets of completions are left out here"
    return affordable, f"{left_out} to keep the page small." if len(affordable) < len(sets) else ""


def _view(study: Study, name: str, effect: object, texts: Texts, sets: Sequence[tuple[str, int]]) -> View:
    places = {model: place for place, model in enumerate(study.models, 1)}
    first: dict[str, Row] = {}
    more = []
    for model, sample in sets:
        sides = [(side, _shown(texts.get((model, side, name, sample)))) for side in study.named]
        row = Row(model, places[model], sample, sides)
        if any(completion for _, completion in sides) and first.setdefault(model, row) is not row:
            more.append(row)
    return View(study.prompts[name], signed(effect), list(first.values()), more)


def _shown(completion: tuple[str, str] | None) -> Shown | None:
    if completion is None:
        return None
    text, finish = completion
    drawn, left = excerpt(text)
    remarks = []
    if not visible(text):
        return Shown("", ["empty"])
    if loops(text):
        remarks.append("loops")
    if finish == "length":
        remarks.append("cut at the length limit")
    if left:
        remarks.append(f"{counted(left, 'character')} more not shown")
    return Shown(drawn, remarks)
