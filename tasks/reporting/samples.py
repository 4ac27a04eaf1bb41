"""Completions side by side: base, control and target, for prompts nobody selected, and for the best and the worst."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from tasks.characters import visible
from tasks.reporting.measures import drawn_prompts, loops, test_completions
from tasks.reporting.study import Study
from tasks.reporting.terms import counted, signed
from tasks.reporting.text import excerpt, safe

EXTREMES = 3  # prompts shown as the best and as the worst by effect
BUDGET = 2_500_000  # bytes of completions in the page, which stays below 5 MB with everything else


@dataclass(frozen=True)
class Shown:
    """A completion, safe to show; `remarks` say what is odd about it."""

    text: str
    remarks: Sequence[str]


@dataclass(frozen=True)
class Row:
    """One sample of one prompt at one rung: a completion for each dataset, in the page's order."""

    rung: str
    place: int  # of the rung on the ladder, from 1
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
            found.setdefault(row.rung, row)
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

    def views(names: Iterable[str], cells: Sequence[tuple[str, int]]) -> list[View]:
        return [_view(study, name, effects.get(name), texts, cells) for name in names]

    count = min(EXTREMES, len(effects) // 2)
    first = wanted[:1]
    return Gallery(
        views=views(order, wanted),
        best=views([str(name) for name in effects.index[:count]], first),
        worst=views([str(name) for name in effects.index[::-1][:count]], first),
        left_out=left_out,
    )


Texts = dict[tuple[str, str, str, int], tuple[str, str]]  # rung, dataset, prompt, sample -> completion, finish reason


def _texts(study: Study) -> Texts:
    """The completions of the first arm of each dataset."""
    first = {study.arms_of(name)[0] for name in study.named}
    return {
        (row["rung"], row["dataset"], row["prompt_id"], int(row["sample"])): (row["completion"], row["finish_reason"])
        for row in test_completions(study).to_dict("records")
        if row["arm"] in first
    }


def _affordable(study: Study, texts: Texts) -> tuple[list[tuple[str, int]], str]:
    """The (rung, sample) that fit in the page, largest model first and the first samples first."""
    every = sorted({(key[3], key[0]) for key in texts}, key=lambda cell: (cell[0], -study.rungs.index(cell[1])))
    kept: list[tuple[str, int]] = []
    spent = 0
    for sample, rung in every:
        own = (text for key, (text, _) in texts.items() if (key[3], key[0]) == (sample, rung))
        spent += sum(len(escape(excerpt(text)[0]).encode("utf-8", "replace")) + 200 for text in own)
        if kept and spent > BUDGET:
            rest = len(every) - len(kept)
            return kept, f"{rest} of {len(every)} sets of completions are left out here to keep the page small."
        kept.append((rung, sample))
    return kept, ""


def _view(study: Study, name: str, effect: object, texts: Texts, cells: Sequence[tuple[str, int]]) -> View:
    prompt = study.prompts[name]
    places = {rung: place for place, rung in enumerate(study.rungs, 1)}
    rows = [
        Row(rung, places[rung], sample, [(side, _shown(texts.get((rung, side, name, sample)))) for side in study.named])
        for rung, sample in cells
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
