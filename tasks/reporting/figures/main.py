"""The figures of the page: arms by size, contrasts with paired intervals, categories, toxicity and its length.

Every effect is drawn with the interval of the *paired* difference: two separate arm intervals that overlap say
nothing about it.
"""

import textwrap
from collections.abc import Sequence
from typing import Any

import pandas as pd

from tasks.reporting.data.study import Study
from tasks.reporting.figures.drawing import FAINT, INK, Figure, Look, canvas, finish
from tasks.reporting.findings.effects import Effect
from tasks.reporting.words.terms import Metric, known, level, listed, metric_of, signed, size

ROW = 0.38  # inches
CATEGORY_ROW = 0.46  # for titles of two lines


def arms(study: Study, table: pd.DataFrame, prompts: pd.DataFrame) -> Figure:
    """Mean score of each dataset by model size; with one model, a row of dots for each dataset."""
    metric = metric_of(study.config.primary, study.config.primary)
    several = len(study.models) > 1
    means = table.groupby(["model", "dataset"], sort=False)["mean"].mean().unstack("dataset").reindex(study.models)
    seeds = table[[len(study.arms_of(name)) > 1 for name in table["dataset"]]]
    said = [
        f"{model}: " + ", ".join(f"{name} {signed(means.loc[model, name])}" for name in study.named)
        for model in study.models
    ]
    with canvas(3.1 if several else 0.9 + 0.5 * len(study.named)) as (figure, axes):
        if several:
            caption = _by_size(axes, study, means, seeds, metric)
        else:
            caption = _of_one(axes, study, means.iloc[0], seeds, prompts, metric)
        each = "; small rings: each training seed" if len(seeds) else ""
        caption += f"{each}. Whether two arms differ is shown by the figure of their differences, not by this one."
        return finish(figure, "arms", f"Mean {metric.label} by arm. {'; '.join(said)}", caption)


def _by_size(axes: Any, study: Study, means: pd.DataFrame, seeds: pd.DataFrame, metric: Metric) -> str:
    look, sizes = Look(study.named), [study.sources[model]["parameters"] for model in study.models]
    for name in study.named:
        style: dict[str, Any] = {"marker": look.marker(name), "color": look.colour(name), "label": look.label(name)}
        axes.plot(sizes, means[name], linewidth=1.6, markersize=6, **style)
    axes.scatter(seeds["params"], seeds["mean"], s=22, edgecolors=INK, facecolors="none", zorder=4)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{model}\n{size(count)}" for model, count in zip(study.models, sizes, strict=True)])
    axes.minorticks_off()
    axes.set(ylabel=f"{metric.label}\n({metric.unit})", xlabel="model (number of parameters)")
    axes.margins(x=0.12)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return f"Mean {metric.label} of each arm by model size; higher is better"


def _of_one(
    axes: Any, study: Study, means: "pd.Series[Any]", seeds: pd.DataFrame, prompts: pd.DataFrame, metric: Metric
) -> str:
    look = Look(study.named)
    for row, name in enumerate(study.named):
        colour, mean, own = look.colour(name), means[name], seeds.loc[seeds["dataset"] == name, "mean"]
        axes.scatter(prompts[name], [row] * len(prompts), marker="|", s=60, color=colour, alpha=0.5, linewidths=1)
        axes.scatter([mean], [row], marker=look.marker(name), s=80, color=colour, zorder=3)
        axes.scatter(own, [row + 0.28] * len(own), s=22, edgecolors=INK, facecolors="none", zorder=4)
        above: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontweight": "bold"}
        axes.annotate(signed(mean), (mean, row), (0, 9), **above)
    axes.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(study.named)), [look.label(name) for name in study.named])
    axes.set_ylim(len(study.named) - 0.5, -0.7)
    axes.set_xlabel(f"{metric.label} ({metric.unit})")
    axes.locator_params(axis="x", nbins=6)
    return f"Mean {metric.label} of each arm (large mark) and every prompt (strokes); further right is better"


def contrasts(effects: Sequence[Effect], name: str, confidence: float) -> Figure:
    """A row for each contrast and model: the difference and its paired interval, against zero."""
    metric, several = effects[0].metric, len({effect.model for effect in effects}) > 1
    several_metrics = len({effect.metric.name for effect in effects}) > 1
    labels = [_label(effect, several=several, metric=several_metrics) for effect in effects]
    with canvas(0.95 + ROW * 1.15 * len(effects)) as (figure, axes):
        for row, effect in enumerate(effects):
            if not known(effect.diff):
                axes.text(0, row, "not tested", ha="center", va="center", style="italic")
                continue
            colour = FAINT if effect.role == "negative-control" else INK
            if known(effect.lo):
                axes.plot([effect.lo, effect.hi], [row, row], color=colour, linewidth=2)
            axes.scatter(
                [effect.diff],
                [row],
                s=46,
                color=colour,
                zorder=3,
                marker="D" if effect.role == "negative-control" else "o",
            )
        _zero(axes, metric)
        axes.set_yticks(range(len(effects)), labels)
        axes.set_ylim(len(effects) - 0.4, -0.6)
        axes.set_xlabel(f"difference ({metric.unit})")
        said = "; ".join(
            f"{label.replace(chr(10), ' ')}: {signed(effect.diff)}, {signed(effect.lo)} to {signed(effect.hi)}"
            for label, effect in zip(labels, effects, strict=True)
        )
        return finish(
            figure,
            name,
            f"Differences between arms with intervals. {said}",
            f"Differences between arms on the same prompts, with their paired {level(confidence)} intervals (not "
            "adjusted for the number of tests). An interval that leaves out zero points to a difference.",
        )


def _label(effect: Effect, *, several: bool, metric: bool) -> str:
    text = f"{effect.a} − {effect.b}"
    parts = [effect.metric.label] if metric else []
    return "\n".join([*parts, f"{text}, {effect.model}" if several else text])


def _zero(axes: Any, metric: Metric) -> None:
    """The line of no difference, in view, and which side of it is better."""
    axes.axvline(0, color=FAINT, linewidth=1, zorder=0)
    reach = max(abs(limit) for limit in axes.get_xlim())
    axes.set_xlim(-reach * 1.08, reach * 1.08)
    axes.locator_params(axis="x", nbins=5)
    if metric.better:
        sides = ("worse", "better")[:: metric.better]
        axes.text(0.0, 1.01, f"← {sides[0]}", transform=axes.transAxes, ha="left", va="bottom")
        axes.text(1.0, 1.01, f"{sides[1]} →", transform=axes.transAxes, ha="right", va="bottom")


def categories(study: Study, effects: Sequence[Effect], name: str) -> Figure:
    """Dots by category, without stars: with so few prompts in each they describe and do not test."""
    metric, a, b = effects[0].metric, effects[0].a, effects[0].b
    known_models = {effect.model for effect in effects}
    models = [model for model in study.models if model in known_models]
    order = list(dict.fromkeys(effect.category for effect in effects))
    means = {c: _mean([e.diff for e in effects if e.category == c]) for c in order}
    order.sort(key=lambda category: (-means[category], category))
    with canvas(1.0 + CATEGORY_ROW * len(order) + (0.25 if len(models) > 1 else 0)) as (figure, axes):
        for number, model in enumerate(models):
            own = {effect.category: effect.diff for effect in effects if effect.model == model}
            axes.scatter(
                [own[c] for c in order],
                range(len(order)),
                s=18 + 34 * (number + 1) / len(models),
                marker="o",
                label=model,
                facecolors="none" if number < len(models) - 1 else INK,
                edgecolors=INK,
                linewidths=1.1,
                zorder=3,
            )
        _zero(axes, metric)
        axes.hlines(range(len(order)), *axes.get_xlim(), color=FAINT, linewidth=0.4, zorder=0)
        axes.set_yticks(
            range(len(order)), [textwrap.fill(study.title_of(category), 27) for category in order], fontsize=9.5
        )
        axes.set_ylim(len(order) - 0.5, -0.5)
        axes.set_xlabel(f"{a} − {b} ({metric.unit})")
        if len(models) > 1:
            axes.legend(loc="upper center", bbox_to_anchor=(0.3, -0.52 / (0.4 * len(order))), ncols=3)
        said = "; ".join(f"{study.title_of(category)} {signed(means[category])}" for category in order)
        return finish(
            figure,
            name,
            f"Difference {a} minus {b} by category. {said}",
            f"Difference {a} − {b} in {metric.label} by category, largest first"
            + (f"; filled: {models[-1]}, the largest model" if len(models) > 1 else "")
            + ". A handful of prompts each: these dots describe, they do not test.",
        )


def _mean(values: Sequence[float]) -> float:
    there = [value for value in values if known(value)]
    return sum(there) / len(there) if there else float("-inf")


def toxicity_by_length(study: Study, table: pd.DataFrame) -> Figure:
    """Where each arm stands in toxicity of the whole text and in length."""
    look = Look(study.named)
    rows = [row for row in table.to_dict("records") if known(row["toxicity_whole"])]
    label = metric_of(study.config.secondary, study.config.primary).label
    with canvas(2.9) as (figure, axes):
        for name in study.named:
            own = [row for row in rows if row["dataset"] == name]
            axes.scatter(
                [r["words"] for r in own],
                [r["toxicity_whole"] for r in own],
                s=[_mark_size(study, r["model"]) for r in own],
                marker=look.marker(name),
                color=look.colour(name),
                label=look.label(name),
            )
        axes.margins(0.25)
        axes.set(xlabel="words in a completion (mean)", ylabel=f"{label} of the whole text\n(mean, 0-1)")
        legend = axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
        for handle in legend.legend_handles:
            handle.set_sizes([80])
        said = listed([f"{r['arm']} at {r['model']}: {r['words']:.0f} words, {r['toxicity_whole']:.3f}" for r in rows])
        return finish(
            figure,
            "toxicity-length",
            f"{label.capitalize()} of the whole text against length. {said}",
            f"{label.capitalize()} of the whole text beside its length"
            + ("; a larger mark is a larger model" if len(study.models) > 1 else "")
            + ". A scorer's figure falls as neutral text is added, so "
            "arms that write at different lengths are compared by their first words instead.",
        )


def _mark_size(study: Study, model: str) -> float:
    """In square points: larger for a larger model."""
    return 80 * (study.models.index(model) + 1) / len(study.models)
