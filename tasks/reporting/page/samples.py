"""Completions side by side: base, control and target, for prompts nobody selected, and for the best and the worst."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from tasks.inputs.characters import visible
from tasks.reporting.data.measures import drawn_prompts, loops, test_completions
from tasks.reporting.data.study import Study
from tasks.reporting.words.terms import counted, signed
from tasks.reporting.words.text import excerpt, safe

EXTREMES = 3  # prompts shown as the best and as the worst by effect
BUDGET = 2_500_000  # bytes of completions in the page, which stays below 5 MB with everything else


@dataclass(frozen=True)
class Shown:
    """A completion, safe to show; `remarks` say what is odd about it."""

    text: str
    remarks: Sequence[str]


@dataclass(frozen=True)
class Row:
    """One sample of one prompt at one model: a completion for each dataset, in the page's order."""

    model: str
    place: int  # of the model on the ladder, from 1
    sample: int
    sides: Sequence[tuple[str, Shown | None]]


@dataclass(frozen=True)
class View:
    """A prompt with its answers and its rows; the first of a model is shown before the others are unfolded."""

    id: str
    category: str
    prompt: str
    desired: str
    undesired: str
    effect: str
    rows: Sequence[Row]

    @property
    def first(self) -> list[Row]:
        """The first row of each model, the largest model's first."""
        found: dict[str, Row] = {}
        for row in self.rows:
            found.setdefault(row.model, row)
        return list(found.values())

    @property
    def more(self) -> list[Row]:
        """All other rows."""
        return [row for row in self.rows if row not in self.first]


@dataclass(frozen=True)
class Gallery:
    """All prompts in drawn order, the best and the worst, and what had to be left out to keep the page small."""

    views: Sequence[View]
    best: Sequence[View]
    worst: Sequence[View]
    left_out: str


def gallery(study: Study, prompts: pd.DataFrame) -> Gallery:
    """The samples section; `prompts` is the table of effects by prompt."""
    effects = (
        prompts.groupby("prompt_id", sort=False)["effect"].mean().dropna().sort_values(ascending=False, kind="stable")
    )
    texts = _texts(study)
    order = [name for name in drawn_prompts(study) if any(key[2] == name for key in texts)]
    wanted, left_out = _affordable(study, texts)

    def views(names: Iterable[str], sets: Sequence[tuple[str, int]]) -> list[View]:
        return [_view(study, name, effects.get(name), texts, sets) for name in names]

    count = min(EXTREMES, len(effects) // 2)
    first = wanted[:1]
    return Gallery(
        views=views(order, wanted),
        best=views([str(name) for name in effects.index[:count]], first),
        worst=views([str(name) for name in effects.index[::-1][:count]], first),
        left_out=left_out,
    )


Texts = dict[tuple[str, str, str, int], tuple[str, str]]  # model, dataset, prompt, sample -> completion, finish reason


def _texts(study: Study) -> Texts:
    """The completions of the first arm of each dataset."""
    first = {study.arms_of(name)[0] for name in study.named}
    return {
        (row["model"], row["dataset"], row["prompt_id"], int(row["sample"])): (row["completion"], row["finish_reason"])
        for row in test_completions(study).to_dict("records")
        if row["arm"] in first
    }


def _affordable(study: Study, texts: Texts) -> tuple[list[tuple[str, int]], str]:
    """The (model, sample) that fit in the page, largest model first and the first samples first."""
    every = sorted({(key[3], key[0]) for key in texts}, key=lambda one: (one[0], -study.models.index(one[1])))
    kept: list[tuple[str, int]] = []
    spent = 0
    for sample, model in every:
        own = (text for key, (text, _) in texts.items() if (key[3], key[0]) == (sample, model))
        spent += sum(len(escape(excerpt(text)[0]).encode("utf-8", "replace")) + 200 for text in own)
        if kept and spent > BUDGET:
            rest = len(every) - len(kept)
            return kept, f"{rest} of {len(every)} sets of completions are left out here to keep the page small."
        kept.append((model, sample))
    return kept, ""


def _view(study: Study, name: str, effect: object, texts: Texts, sets: Sequence[tuple[str, int]]) -> View:
    prompt = study.prompts[name]
    places = {model: place for place, model in enumerate(study.models, 1)}
    rows = [
        Row(
            model,
            places[model],
            sample,
            [(side, _shown(texts.get((model, side, name, sample)))) for side in study.named],
        )
        for model, sample in sets
    ]
    return View(
        id=name,
        category=prompt.category,
        prompt=safe(prompt.prompt),
        desired=safe(prompt.desired),
        undesired=safe(prompt.undesired),
        effect=signed(effect),
        rows=[row for row in rows if any(shown for _, shown in row.sides)],
    )


def _shown(found: tuple[str, str] | None) -> Shown | None:
    if found is None:
        return None
    text, finish = found
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
