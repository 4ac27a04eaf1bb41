"""Figures with a row for each item: the arms, their differences, categories, tasks and prompts.

Every effect is drawn with the interval of the *paired* difference: two separate arm intervals that overlap say
nothing about it.
"""

import textwrap
from collections.abc import Sequence
from typing import Any

import pandas as pd

from tasks.formats.checkpoints import BASE
from tasks.reporting.data.study import Study
from tasks.reporting.figures.drawing import (
    FAINT,
    INK,
    MARKERS,
    OTHERS,
    Figure,
    Look,
    around_zero,
    canvas,
    finish,
    interval,
    legend,
    rows,
)
from tasks.reporting.findings.capability import NOT_ABOVE, task_label
from tasks.reporting.findings.comparison import Row
from tasks.reporting.findings.effects import Effect
from tasks.reporting.words.terms import LIKELIHOOD, Metric, counted, known, level, number, signed, size
from tasks.text.shown import safe

ROW = 0.38  # inches
CATEGORY_ROW = 0.46  # for titles of two lines
PROMPT_ROW = 0.16
TASK_ARM = 0.19  # an arm of a task
TASK_GAP = 0.16


def arms(study: Study, metric: Metric, table: pd.DataFrame, prompts: pd.DataFrame) -> Figure:
    """Mean score of each dataset by model size; with one model, a row of dots for each dataset."""
    several = len(study.models) > 1
    means = table.groupby(["model", "dataset"], sort=False)["mean"].mean().unstack("dataset").reindex(study.models)
    seeds = table[[len(study.arms_of(name)) > 1 for name in table["dataset"]]]
    values = [
        f"{model}: " + ", ".join(f"{name} {_mean(means.loc[model, name], metric)}" for name in study.named)
        for model in study.models
    ]
    with canvas(3.1 if several else 0.9 + 0.5 * len(study.named)) as (figure, axes):
        if several:
            _by_size(axes, study, means, seeds, metric)
            caption = "by model size; higher is better"
        else:
            _of_one(axes, study, means.iloc[0], seeds, prompts, metric)
            caption = "(large mark) and every prompt (strokes); further right is better"
        caption += "; small rings: each training seed" if len(seeds) else ""
        caption += ". Whether two arms differ is shown by the figure of their differences, not by this one."
        caption = f"Mean {metric.label} of each arm {caption}"
        return finish(figure, "arms", f"Mean {metric.label} by arm. {'; '.join(values)}", caption)


def _mean(value: object, metric: Metric) -> str:
    """With a sign only where 0 is the middle, as of answers that are equally likely."""
    return signed(value) if metric.name in LIKELIHOOD else number(value)


def _by_size(axes: Any, study: Study, means: pd.DataFrame, seeds: pd.DataFrame, metric: Metric) -> None:
    look, sizes = Look(study.named), [study.sources[model]["parameters"] for model in study.models]
    for name in study.named:
        axes.plot(sizes, means[name], linewidth=1.6, markersize=6, **look.style(name))
    axes.scatter(seeds["params"], seeds["mean"], s=22, edgecolors=INK, facecolors="none", zorder=4)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{model}\n{size(count)}" for model, count in zip(study.models, sizes, strict=True)])
    axes.minorticks_off()
    axes.set(ylabel=f"{metric.label}\n({metric.unit})", xlabel="model (number of parameters)")
    axes.margins(x=0.12)
    legend(axes)


def _of_one(
    axes: Any, study: Study, means: "pd.Series[Any]", seeds: pd.DataFrame, prompts: pd.DataFrame, metric: Metric
) -> None:
    look = Look(study.named)
    for row, name in enumerate(study.named):
        colour, mean, by_seed = look.colour(name), means[name], seeds.loc[seeds["dataset"] == name, "mean"]
        axes.scatter(prompts[name], [row] * len(prompts), marker="|", s=60, color=colour, alpha=0.5, linewidths=1)
        axes.scatter([mean], [row], s=80, zorder=3, **look.style(name))
        axes.scatter(by_seed, [row + 0.28] * len(by_seed), s=22, edgecolors=INK, facecolors="none", zorder=4)
        above: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontweight": "bold"}
        axes.annotate(_mean(mean, metric), (mean, row), (0, 9), **above)
    if metric.name in LIKELIHOOD:
        axes.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
    rows(axes, [look.style(name)["label"] for name in study.named], f"{metric.label} ({metric.unit})", (0.7, 0.5))
    axes.locator_params(axis="x", nbins=6)


def seeds(by_seed: pd.DataFrame, whole: Sequence[Effect], metric: Metric, confidence: float) -> Figure:
    """For each contrast and model a row a training seed, and one for all seeds together."""
    several, labels, marks = len({effect.model for effect in whole}) > 1, [], []
    for effect in whole:
        own = by_seed[(by_seed["model"] == effect.model) & (by_seed["contrast"] == f"{effect.a} - {effect.b}")]
        where = f", {effect.model}" if several else ""
        for row in own.to_dict("records"):
            labels.append(f"seed {row['seed']}")
            marks.append((row["diff"], (row["ci_lo"], row["ci_hi"]), FAINT))
        labels.append(f"{effect.a} − {effect.b}{where}")
        marks.append((effect.diff, (effect.lo, effect.hi), INK))
    return _stack(
        "seeds", labels, marks, metric, "Differences of each training seed and of all together",
        "Grey: each training seed by itself, with the interval for its checkpoints. Black: all seeds together, with "
        f"the {level(confidence)} interval for the dataset where there are three seeds or more.",
    )


def shares(effects: Sequence[tuple[int, Effect]], metric: Metric, confidence: float) -> Figure:
    """A row for each number of samples and contrast: the difference and its paired interval."""
    several = len({effect.model for _, effect in effects}) > 1
    labels = [
        f"{size} samples, against {'base' if effect.b == BASE else 'control'}{f', {effect.model}' if several else ''}"
        for size, effect in effects
    ]
    marks = [(effect.diff, (effect.lo, effect.hi), FAINT if effect.b == BASE else INK) for _, effect in effects]
    return _stack(
        "shares", labels, marks, metric, "Differences by number of training samples",
        "The target dataset by its number of training samples, against a control dataset of as many (black) and "
        f"against base (grey), with paired {level(confidence)} intervals (not adjusted for the number of tests).",
    )


def _stack(
    name: str, labels: Sequence[str], marks: Sequence[tuple[float, tuple[float, float], str]], metric: Metric, alt: str,
    caption: str,
) -> Figure:
    """Rows of a value with its interval, against zero."""
    with canvas(0.95 + 0.8 * ROW * len(labels)) as (figure, axes):
        for row, (value, ends, colour) in enumerate(marks):
            interval(axes, row, value, ends, colour=colour, width=2, s=40, marker="o")
        around_zero(axes, metric.better)
        rows(axes, labels, f"difference ({metric.unit})", (0.6, 0.4), fontsize=9.5)
        pairs = zip(labels, marks, strict=True)
        values = "; ".join(f"{label}: {signed(m[0])}, {signed(m[1][0])} to {signed(m[1][1])}" for label, m in pairs)
        return finish(figure, name, f"{alt}. {values}", caption)


def categories(study: Study, effects: Sequence[Effect], name: str) -> Figure:
    """A mark with its interval by category and model, without stars: with so few prompts in each they describe."""
    metric, a, b = effects[0].metric, effects[0].a, effects[0].b
    by_place = {(effect.category, effect.model): effect for effect in effects}
    means = pd.DataFrame([{"category": e.category, "diff": e.diff} for e in effects]).groupby("category")["diff"].mean()
    order = sorted(means.index, key=lambda category: (-means[category] if known(means[category]) else 1e9, category))
    models = [model for model in study.models if any(effect.model == model for effect in effects)]
    step = 0.8 / len(models)
    with canvas(1.0 + max(CATEGORY_ROW, 0.17 * len(models)) * len(order) + 0.25 * (len(models) > 1)) as (figure, axes):
        for place, model in enumerate(models):
            colour = (*OTHERS[: len(models) - 1], INK)[place] if len(models) <= len(OTHERS) + 1 else INK
            style: dict[str, Any] = {"colour": colour, "width": 1.6, "s": 26, "marker": MARKERS[place % len(MARKERS)]}
            for row, category in enumerate(order):
                effect = by_place.get((category, model))
                if effect and (known(effect.diff) or len(models) == 1):
                    y = row + (place - (len(models) - 1) / 2) * step
                    interval(axes, y, effect.diff, (effect.lo, effect.hi), **style)
            axes.scatter([], [], s=26, color=colour, marker=style["marker"], label=model)
        around_zero(axes, metric.better)
        titles = [study.title_of(category) for category in order]
        rows(axes, [textwrap.fill(title, 27) for title in titles], f"{a} − {b} ({metric.unit})", fontsize=9.5)
        if len(models) > 1:
            figure.legend(loc="outside lower center", ncols=3, columnspacing=1, handletextpad=0.2)
        values = "; ".join(f"{title} {signed(means[category])}" for title, category in zip(titles, order, strict=True))
        return finish(
            figure,
            name,
            f"Difference {a} minus {b} by category. {values}",
            f"Difference {a} − {b} in {metric.label} by category, largest first, with {level(study.config.confidence)} "
            "intervals. There are only a handful of prompts in each: this describes, it does not test.",
        )


def tasks(study: Study, model: str) -> Figure:
    """A band for each task's margin and in it a mark and a 90% interval for each arm, in points of a hundred."""
    table = study.tables["capability"]
    table = table[(table["model"] == model) & (table["against"] == BASE)]
    look, names, tuned = Look(study.named), list(table["task"].unique()), list(table["arm"].unique())
    by_task = {(row["task"], row["arm"]): row for row in table.to_dict("records")}
    height = TASK_ARM * len(tuned) + TASK_GAP
    with canvas(1.15 + height * len(names)) as (figure, axes):
        for place, task in enumerate(names):
            margin = 100 * by_task[task, tuned[0]]["margin"]
            axes.barh(place, 2 * margin, left=-margin, height=0.86, color=FAINT, alpha=0.25, linewidth=0, zorder=0)
            for number_, arm in enumerate(tuned):
                _task(axes, look, by_task[task, arm], place + TASK_ARM / height * (number_ - (len(tuned) - 1) / 2))
        around_zero(axes, 1, room=1, ticks=7)
        labels = [task_label(by_task[task, tuned[0]]) for task in names]
        rows(axes, labels, "difference from base (points of a hundred)", (0.55, 0.45))
        for name in table["dataset"].unique():  # the legend, below the axis
            axes.scatter([], [], s=30, **look.style(name))
        grey = "" if table["informative"].all() else f" Grey and hollow: {NOT_ABOVE}, so such a loss could not show."
        if grey:
            axes.scatter([], [], s=30, marker="o", color="none", edgecolors=FAINT, label="uninformative")
        figure.legend(loc="outside lower center", ncols=3, columnspacing=1, handletextpad=0.2)
        values = "; ".join(_task_values(row) for row in by_task.values())
        return finish(
            figure,
            f"capability-{model}",
            f"Differences from base in tasks at {model}, with 90% intervals and margins. {values}",
            f"Difference from base in right answers at {model}, in points of a hundred, with 90% intervals. The shaded "
            "part lies within the margin. A loss of the margin or more is ruled out where the whole interval lies "
            f"right of the shaded part's left edge.{grey}",
        )


def _task(axes: Any, look: Look, row: Row, y: float) -> None:
    dataset, informative = str(row["dataset"]), bool(row["informative"])
    colour, ends = look.colour(dataset) if informative else FAINT, (100 * row["ci90_lo"], 100 * row["ci90_hi"])
    style = {"s": 30, "marker": look.style(dataset)["marker"], "color": colour if informative else "none"}
    interval(axes, y, 100 * row["diff"], ends, colour=colour, width=1.8, **style)


def _task_values(row: Row) -> str:
    where = f"{task_label(row)}, {row['arm']}"
    if not known(row["diff"]):
        return f"{where}: not tested"
    diff, lo, hi = (signed(100 * row[key], 1) for key in ("diff", "ci90_lo", "ci90_hi"))
    return f"{where}: {diff}, {lo} to {hi}, margin {number(100 * row['margin'], 1)}, {row['verdict']}"


def prompts(study: Study, metric: Metric, table: pd.DataFrame, model: str) -> Figure:
    """A line a prompt from control to target, with base beside them, by category and then by difference."""
    look, (_, control, target) = Look(study.named), study.trio
    table = table[table["model"] == model].sort_values(["category", "effect"], kind="stable").reset_index(drop=True)
    with canvas(1.0 + PROMPT_ROW * len(table)) as (figure, axes):
        places = range(len(table))
        axes.hlines(places, table[control], table[target], color=FAINT, linewidth=1)
        for name in study.trio:
            axes.scatter(table[name], places, s=20, zorder=3, **look.style(name))
        axes.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
        words = (safe(study.prompts[name].prompt) for name in table["prompt_id"])
        labels = [textwrap.shorten(text, 44, placeholder=" …") for text in words]
        rows(axes, labels, f"{metric.label} ({metric.unit})", (0.7, 0.3), fontsize=7.5)
        legend(axes, 3, 0.3, columnspacing=1, handletextpad=0.2)
        both, wins = table["effect"].notna().sum(), int((table["effect"] > 0).sum())
        missing = f" ({len(table) - both} lack a score)" if both < len(table) else ""
        return finish(
            figure,
            f"prompts-{model}",
            f"Every test prompt at {model}: {target} is above {control} on {wins} of {both}{missing}.",
            f"Every test prompt at {model}, by category: the line runs from {control} to {target}, which scored "
            f"higher on {wins} of {counted(both, 'prompt')}{missing}.",
        )
