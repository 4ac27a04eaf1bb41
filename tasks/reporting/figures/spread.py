"""Figures of how things are spread: toxicity and length, ratings, training, matching, similarity, what can be found."""

import re
from typing import Any

import numpy as np
import pandas as pd

from tasks.reporting.data.study import Study
from tasks.reporting.figures.drawing import FAINT, INK, OTHERS, Figure, Look, canvas, finish, legend, shared_legend
from tasks.reporting.words.terms import Metric, counted, number, percent

LINES = ("-", "--", "-.", ":")


def toxicity_scatter(study: Study, metric: Metric) -> Figure:
    """Every completion: toxicity of the whole text against its length."""
    table, label = study.toxicity, metric.label
    table = table[(table["variant"] == "whole") & (table["split"] == "test") & (table["attribute"] == metric.name)]
    keys = ["model", "arm", "prompt_id", "sample"]
    table = table.merge(study.test_completions[[*keys, "words", "dataset"]], on=keys)
    with canvas(2.9) as (figure, axes):
        look = Look(study.named)
        for name in study.named:
            part = table[table["dataset"] == name]
            axes.scatter(part["words"], part["score"], s=13, alpha=0.55, linewidths=0, **look.style(name))
        axes.set(xlabel="words in a completion", ylabel=f"{label} of the whole text", ylim=(-0.02, None))
        legend(axes)
        rank = number(_rank_correlation(table, "words", "score"), 2)
        rank = f"Rank correlation of {label} with length, all arms together: {rank}."
        return finish(
            figure,
            "toxicity-scatter",
            f"{label.capitalize()} against length for every completion. {rank}",
            f"{label.capitalize()} of the whole text against its length, a mark a completion. {rank}",
        )


def _rank_correlation(table: pd.DataFrame, a: str, b: str) -> float:
    """Spearman's, of the rows that have both; NaN of fewer than three or where one never changes."""
    pair = table[[a, b]].dropna()
    if len(pair) < 3 or not (pair.nunique() > 1).all():
        return float("nan")
    return float(pair.corr("spearman").to_numpy()[0, 1])


def ratings(study: Study, metric: Metric, scores: pd.DataFrame) -> Figure:
    """The share of each rating of a metric by dataset, each of the `scores` counted by itself: a panel a model."""
    look, given = Look(study.named), scores.dropna(subset="score")
    shares = rating_shares(given)
    steps, width = sorted(given["score"].unique()), 0.8 / len(study.named)
    extra: dict[str, Any] = {"sharex": True, "sharey": True, "squeeze": False}
    with canvas(0.9 + 1.6 * len(study.models), rows=len(study.models), **extra) as (figure, grid):
        for axes, model in zip(grid[:, 0], study.models, strict=True):
            for place, name in enumerate(study.named):
                bars = [middle + (place - (len(study.named) - 1) / 2) * width for middle in range(len(steps))]
                heights = [shares.get((model, name, step), 0.0) for step in steps]
                axes.bar(bars, heights, 0.9 * width, **_bar(study, name), label=look.style(name)["label"])
            axes.set(ylabel="share of ratings", title=model if len(study.models) > 1 else "")
        shared_legend(figure, grid[0, 0], columnspacing=1)
        grid[-1, 0].set_xticks(range(len(steps)), [f"{step:g}" for step in steps])
        grid[-1, 0].set_xlabel(f"{metric.label} ({metric.unit})")
        values = "; ".join(
            f"{name} at {model}, {step:g}: {percent(shares.get((model, name, step), 0.0))}"
            for model in study.models
            for name in study.named
            for step in steps
        )
        missing, raters = len(scores) - len(given), counted(given["rater"].nunique(), "rater")
        return finish(
            figure,
            "ratings-" + re.sub(r"[^\w-]+", "-", metric.name),
            f"Share of each rating by arm. {values}",
            f"Share of each rating by arm: {counted(len(given), 'rating')} by {raters}, each counted by itself, "
            f"{missing} missing. It shows how the scale was used; the tests compare means by prompt.",
        )


def _bar(study: Study, dataset: str) -> dict[str, Any]:
    """The look of a dataset's bars: hatched for control, so that they differ without colour too."""
    colour = Look(study.named).colour(dataset)
    hatched = dataset == study.config.control
    return {"color": colour, "edgecolor": colour, "fill": not hatched, "hatch": "///" if hatched else None}


def rating_shares(given: pd.DataFrame) -> "pd.Series[float]":
    """The share of each rating among those of a model and dataset, by model, dataset and rating."""
    counts = given.groupby(["model", "dataset", "score"]).size()
    return counts / counts.groupby(level=["model", "dataset"]).transform("sum")


def lengths(study: Study) -> Figure:
    """The share of completions of at most so many words, for each dataset (all models together)."""
    look, table = Look(study.named), study.test_completions
    with canvas(2.7) as (figure, axes):
        for place, name in enumerate(study.named):
            words = np.sort(table.loc[table["dataset"] == name, "words"].to_numpy(float))
            style: dict[str, Any] = {"color": look.colour(name), "label": look.style(name)["label"], "linewidth": 1.6}
            shares = np.arange(1, len(words) + 1) / max(len(words), 1)
            axes.step(words, shares, where="post", linestyle=LINES[place % 4], **style)
        axes.set(xlabel="words in a completion", ylabel="share of completions\nof at most this length", ylim=(0, 1.02))
        legend(axes)
        medians = table.groupby("dataset")["words"].median()
        values = ", ".join(f"{name} {medians[name]:.0f}" for name in study.named)
        return finish(
            figure,
            "lengths",
            f"Lengths of completions; medians in words: {values}.",
            f"Lengths of the completions, all models together. Medians in words: {values}.",
        )


def training(study: Study) -> Figure:
    """Training loss by step: a panel a model, a line an arm."""
    look, datasets = Look(study.named), {checkpoint.arm: checkpoint.dataset for checkpoint in study.ladder}
    with canvas(0.5 + 1.75 * len(study.models), rows=len(study.models), squeeze=False) as (figure, grid):
        panels = dict(zip(study.models, grid[:, 0], strict=True))
        for model, axes in panels.items():
            for arm, log in [(arm, log) for (name, arm), log in study.logs.items() if name == model]:
                style: Any = {"color": look.colour(datasets[arm]), "linewidth": 1.2, "label": arm}
                style["linestyle"] = "-" if datasets[arm] == study.config.target else "--"
                axes.plot(log["step"], log["loss"], **style)
            axes.set(ylabel="training loss", title=model)
            axes.locator_params(axis="x", integer=True)
        grid[-1, 0].set_xlabel("optimiser step")
        shared_legend(figure, grid[0, 0])
        last = [f"{arm} at {model} {log['loss'].iloc[-1]:.2f}" for (model, arm), log in study.logs.items() if len(log)]
        return finish(
            figure,
            "training",
            f"Training loss by step. Last: {', '.join(last)}.",
            "Training loss (weighted, in nats per token) by optimiser step. Two curves that fall alike show that "
            "both arms learned; they do not compare the datasets.",
        )


def matched_lengths(study: Study) -> Figure:
    """How many training answers have how many words: control against target."""
    _, control, target = study.trio
    with canvas(2.5) as (figure, axes):
        for name, offset in ((control, -4.5), (target, 4.5)):
            bars = study.statistics[study.arms_of(name)[0]]["answer_words_histogram"]
            middles, counts = [bar["from"] + 10 + offset for bar in bars], [bar["count"] for bar in bars]
            axes.bar(middles, counts, width=8.5, label=name, **_bar(study, name))
        axes.set(xlabel="words in a training answer", ylabel="training samples")
        legend(axes)
        return finish(
            figure,
            "matched-lengths",
            f"Lengths of the training answers of {control} and {target}.",
            f"Lengths of the training answers: {target} and {control} should look alike, so that only content differs.",
        )


def similarity(study: Study, metric: Metric, table: pd.DataFrame) -> Figure:
    """Each prompt's effect against its likeness to the nearest training text."""
    several = len(study.models) > 1
    with canvas(2.9) as (figure, axes):
        for index, (model, near) in enumerate([(model, near) for model in study.models for near in (False, True)]):
            part = table[(table["model"] == model) & (table["nearest"] == near)]
            colour = (INK, *OTHERS)[index // 2 % 4]
            style: Any = {"facecolors": "none" if near else colour, "edgecolors": colour, "linewidths": 1}
            label = model if several and not near else None
            axes.scatter(part["similarity"], part["effect"], s=22, label=label, **style)
        axes.axhline(0, color=FAINT, linewidth=0.8, zorder=0)
        axes.set_xlabel("similarity to the nearest training text (0-100)")
        axes.set_ylabel(f"{study.config.target} − {study.config.control}\n({metric.unit})")
        if several:
            legend(axes, 3)
        by_model = {model: table[table["model"] == model] for model in study.models}
        ranks = ", ".join(
            f"{model} {number(_rank_correlation(part, 'similarity', 'effect'), 2)}" for model, part in by_model.items()
        )
        return finish(
            figure,
            "similarity",
            f"Effect against similarity to training. Rank correlation: {ranks}.",
            "Each prompt's effect against its similarity to the nearest training text (hollow: the nearest "
            f"quarter). Rank correlation: {ranks}. A strong positive one would hint at memorisation.",
        )


def detectable(curve: pd.DataFrame, n: int) -> Figure:
    """The smallest standardised effect found with 80% power, by number of prompts and size of the family."""
    with canvas(2.5) as (figure, axes):
        for (m, part), style in zip(curve.groupby("tests", sort=False), ("-", "--", ":"), strict=False):
            label = "one test" if m == 1 else f"first step in a family of {m}"
            axes.plot(part["n_prompts"], part["d_z"], color=INK, linestyle=style, label=label)
        axes.axvline(n, color=FAINT, linewidth=0.8)
        axes.set(xlabel="prompts", ylabel="smallest effect found\n(d_z, 80% power)", ylim=(0, None))
        axes.legend(loc="upper right")
        found = curve[curve["n_prompts"] == n].to_dict("records")
        here = ", ".join(f"{row['d_z']:.2f} for {counted(int(row['tests']), 'test')}" for row in found)
        return finish(
            figure,
            "detectable",
            f"Detectable effect by number of prompts. With {n}: {here}.",
            f"The smallest effect (in standard deviations of the prompts' differences) that 80 of 100 such sweeps "
            f"would find. Here, with {n} prompts: {here}.",
        )
