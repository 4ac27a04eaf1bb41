"""The picture of the first screen: what was found in a few panels, each of which says which way is better."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tasks.formats.checkpoints import BASE
from tasks.formats.verdicts import PASSED
from tasks.reporting.data.study import Study
from tasks.reporting.figures.drawing import BAD, FAINT, GOOD, INK, PAPER, Figure, canvas, finish, rows
from tasks.reporting.findings.capability import LOST, task_label
from tasks.reporting.findings.comparison import Row
from tasks.reporting.findings.effects import Effect
from tasks.reporting.words.terms import LIKELIHOOD, known, level, signed

ROW, HEAD = 0.18, 0.36  # inches


@dataclass(frozen=True)
class Mark:
    """A row of a panel: a difference with its interval; `better` is 1 or -1 where a test found it so (of an ability, 1
    where it ruled out a loss), 0 elsewhere."""

    label: str
    value: float
    ends: tuple[float, float]
    better: int
    margin: float | None = None
    aside: bool = False  # the negative control


@dataclass(frozen=True)
class Panel:
    """Marks on one scale; `way` is -1 where less is better."""

    title: str
    marks: Sequence[Mark]
    way: int
    digits: int


def found(study: Study, main: Sequence[Effect], toxic: Sequence[Effect]) -> Figure | None:
    """`main` and `toxic` are the differences in the primary metric and in toxicity; None where there are none."""
    panels = [panel for panel in _panels(study, main, toxic) if panel.marks]
    if not panels:
        return None
    heights = [HEAD + ROW * len(panel.marks) for panel in panels]
    extra: dict[str, Any] = {"squeeze": False, "height_ratios": heights}
    with canvas(0.25 + sum(heights), rows=len(panels), **extra) as (figure, grid):
        for axes, panel in zip(grid[:, 0], panels, strict=True):
            _draw(axes, panel)
        values = "; ".join(_told(panel, mark) for panel in panels for mark in panel.marks)
        return finish(
            figure,
            "found",
            f"What was found. {values}",
            f"Lines: {level(study.config.confidence)} intervals (abilities 90%). Filled: a test found it (triangle: "
            "worse; abilities: a loss beyond the grey bar ruled out). Hollow: not shown. Diamond: neutral text.",
        )


def _panels(study: Study, main: Sequence[Effect], toxic: Sequence[Effect]) -> Iterator[Panel]:
    for effects in (main, toxic):
        if effects:
            metric = effects[0].metric
            title = "leaning to desired answers" if metric.name in LIKELIHOOD else metric.label
            marks = [_effect(effect, len(study.models) > 1) for effect in effects]
            yield Panel(f"{title} ({metric.unit.removeprefix('on the ')})", marks, -1 if metric.better < 0 else 1, 3)
    table = study.tables["capability"]
    own = table[(table["dataset"] == study.config.target) & (table["against"] == BASE)]
    yield Panel("other abilities, against base (points)", list(_tasks(own)), 1, 1)


def _effect(effect: Effect, several: bool) -> Mark:
    aside = effect.role == "negative-control"
    label = f"{effect.a} against {effect.b}{f', {effect.model}' if several else ''}"
    return Mark(label, effect.diff, (effect.lo, effect.hi), effect.better, aside=aside)


def _tasks(own: pd.DataFrame) -> Iterator[Mark]:
    """Every set, or where there is none every task, and each task with a loss; of several arms of a model the one with
    the lowest interval."""
    sets = own["whole_set"].astype(bool)
    deciding = own[(sets if sets.any() else True) | own["verdict"].isin(LOST)].sort_values("ci90_lo", kind="stable")
    lowest = deciding.drop_duplicates(["model", "task"]).sort_values("whole_set", ascending=False, kind="stable")
    several = own.groupby(["model", "arm"]).ngroups > 1
    for row in lowest.to_dict("records"):
        yield _task(row, f", {row['arm']} at {row['model']}" if several else "")


def _task(row: Row, where: str) -> Mark:
    diff, lo, hi, margin = (100 * row[key] for key in ("diff", "ci90_lo", "ci90_hi", "margin"))
    better = -1 if row["verdict"] in LOST else int(row["verdict"] in PASSED)
    label = f"all {row['n']} items" if row["whole_set"] else task_label(row)
    return Mark(f"{label}{where}", diff, (lo, hi), better, margin)


def _draw(axes: Any, panel: Panel) -> None:
    for place, mark in enumerate(panel.marks):
        if not known(mark.value):
            axes.text(0, place, "not tested", ha="center", va="center", style="italic", fontsize=9)
            continue
        colour = FAINT if mark.aside else {1: GOOD, -1: BAD}.get(mark.better, INK)
        if mark.margin is not None:
            axes.barh(place, -mark.margin, height=0.8, color=FAINT, alpha=0.25, linewidth=0, zorder=0)
        axes.plot(mark.ends, [place, place], color=colour, linewidth=1.8, zorder=2)
        shape = "D" if mark.aside else {1: "o", -1: "v"}.get(mark.better, "o")
        face = colour if mark.better else PAPER
        axes.scatter([mark.value], [place], s=34, marker=shape, facecolors=face, edgecolors=colour, zorder=3)
    axes.axvline(0, color=FAINT, linewidth=1, zorder=1)
    reach = 1.06 * max(map(abs, axes.get_xlim()))
    axes.set_xlim(-reach, reach)
    axes.locator_params(axis="x", nbins=5)
    axes.tick_params(axis="x", labelsize=8.5, pad=1)
    rows(axes, [mark.label for mark in panel.marks], "", (0.6, 0.4), fontsize=9.5)
    axes.annotate(panel.title, (0, 1), xycoords=("figure fraction", "axes fraction"), xytext=(2, 4),
                  textcoords="offset points", fontsize=9.5, fontweight="bold", va="bottom")  # fmt: skip
    better = "better →" if panel.way > 0 else "← better"
    axes.annotate(better, (1, 1), xycoords="axes fraction", xytext=(0, 4), textcoords="offset points",
                  fontsize=9, ha="right", va="bottom")  # fmt: skip


def _told(panel: Panel, mark: Mark) -> str:
    if not known(mark.value):
        return f"{panel.title}, {mark.label}: not tested"
    value, lo, hi = (signed(each, panel.digits) for each in (mark.value, *mark.ends))
    return f"{panel.title}, {mark.label}: {value}, {lo} to {hi}"
