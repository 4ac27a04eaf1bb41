"""The figure of capability: every task's difference to base with its interval, against the margin."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from tasks.reporting.data.study import Study
from tasks.reporting.figures.drawing import FAINT, Figure, Look, canvas, finish
from tasks.reporting.findings.capability import NOT_ABOVE, Row, task_label
from tasks.reporting.words.terms import known, number, signed

ARM = 0.19  # inches
GAP = 0.16


def figures(study: Study) -> list[Figure]:
    """One for each model where a task was right or wrong."""
    table = study.tables["capability"]
    return [
        margins(study, table[table["model"] == model], model)
        for model in study.models
        if (table["model"] == model).any()
    ]


def margins(study: Study, table: pd.DataFrame, model: str) -> Figure:
    """A band for each task's margin and in it a mark and a 90% interval for each arm, in points of a hundred."""
    look, tasks, arms = Look(study.named), list(table["task"].unique()), list(table["arm"].unique())
    rows = {(row["task"], row["arm"]): row for row in table.to_dict("records")}
    step = ARM / (ARM * len(arms) + GAP)
    with canvas(1.15 + (ARM * len(arms) + GAP) * len(tasks)) as (figure, axes):
        for place, task in enumerate(tasks):
            margin = 100 * rows[task, arms[0]]["margin"]
            axes.barh(place, 2 * margin, left=-margin, height=0.86, color=FAINT, alpha=0.25, linewidth=0, zorder=0)
            for number_, arm in enumerate(arms):
                _mark(axes, look, rows[task, arm], place + step * (number_ - (len(arms) - 1) / 2))
        labels = [task_label(task, whole_set=bool(rows[task, arms[0]]["whole_set"])) for task in tasks]
        _frame(axes, labels)
        _legend(axes, look, list(table["dataset"].unique()), grey=not table["informative"].all())
        said = "; ".join(_said(row) for row in rows.values())
        return finish(
            figure,
            f"capability-{model}",
            f"Differences to base in tasks at {model}, with 90% intervals and margins. {said}",
            f"Difference to base in right answers at {model}, in points of a hundred, with 90% intervals; shaded: "
            "within the margin. A loss of the margin or more is ruled out where the whole interval lies right of the "
            "shaded area's left edge."
            + ("" if table["informative"].all() else f" Grey and hollow: {NOT_ABOVE}, so such a loss could not show."),
        )


def _mark(axes: Any, look: Look, row: Row, y: float) -> None:
    if not known(row["diff"]):
        axes.text(0, y, "not tested", ha="center", va="center", style="italic", fontsize=8)
        return
    informative, dataset = bool(row["informative"]), str(row["dataset"])
    colour = look.colour(dataset) if informative else FAINT
    axes.plot([100 * row["ci90_lo"], 100 * row["ci90_hi"]], [y, y], color=colour, linewidth=1.8)
    ground = colour if informative else "none"
    axes.scatter([100 * row["diff"]], [y], s=30, marker=look.marker(dataset), color=ground, edgecolors=colour, zorder=3)


def _frame(axes: Any, labels: Sequence[str]) -> None:
    axes.axvline(0, color=FAINT, linewidth=1, zorder=1)
    reach = max(abs(limit) for limit in axes.get_xlim())
    axes.set_xlim(-reach, reach)
    axes.locator_params(axis="x", nbins=7)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.45, -0.55)
    axes.set_xlabel("difference to base (points of a hundred)")
    axes.text(0.0, 1.01, "← worse", transform=axes.transAxes, ha="left", va="bottom")
    axes.text(1.0, 1.01, "better →", transform=axes.transAxes, ha="right", va="bottom")


def _legend(axes: Any, look: Look, datasets: Sequence[str], *, grey: bool) -> None:
    """Below the axis, so that it hides nothing: a mark for each dataset, and the grey one where there is any."""
    for name in datasets:
        axes.scatter([], [], s=30, marker=look.marker(name), color=look.colour(name), label=look.label(name))
    if grey:
        axes.scatter([], [], s=30, marker="o", color="none", edgecolors=FAINT, label="uninformative")
    axes.figure.legend(loc="outside lower center", ncols=3, columnspacing=1, handletextpad=0.2)


def _said(row: Row) -> str:
    where = f"{task_label(str(row['task']), whole_set=bool(row['whole_set']))}, {row['arm']}"
    if not known(row["diff"]):
        return f"{where}: not tested"
    diff, lo, hi = (signed(100 * row[key], 1) for key in ("diff", "ci90_lo", "ci90_hi"))
    return f"{where}: {diff}, {lo} to {hi}, margin {number(100 * row['margin'], 1)}, {row['verdict']}"
