"""The figures for the statistician: prompts, ratings, lengths, training, matching, similarity, what can be found."""

import re
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from tasks.reporting.data.measures import test_completions
from tasks.reporting.data.study import Study
from tasks.reporting.figures.drawing import FAINT, INK, OTHERS, Figure, Look, canvas, finish
from tasks.reporting.words.terms import counted, metric_of, number, percent

RUN = 0.16  # inches a prompt


def prompts(study: Study, table: pd.DataFrame, model: str) -> Figure:
    """A line a prompt from control to target, with base beside them, by category and then by difference."""
    look, (base, control, target) = Look(study.named), study.trio
    metric = metric_of(study.config.primary, study.config.primary)
    own = table[table["model"] == model].sort_values(["category", "effect"], kind="stable").reset_index(drop=True)
    with canvas(1.0 + RUN * len(own)) as (figure, axes):
        rows = range(len(own))
        axes.hlines(rows, own[control], own[target], color=FAINT, linewidth=1)
        for name in (base, control, target):
            axes.scatter(
                own[name],
                rows,
                s=20,
                marker=look.marker(name),
                color=look.colour(name),
                label=look.label(name),
                zorder=3,
            )
        axes.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
        axes.set_yticks(rows, [str(name)[-34:] for name in own["prompt_id"]], fontsize=7.5)
        axes.set_ylim(len(own) - 0.3, -0.7)
        axes.set_xlabel(f"{metric.label} ({metric.unit})")
        axes.legend(loc="lower center", bbox_to_anchor=(0.3, 1), ncols=3, columnspacing=1, handletextpad=0.2)
        both, wins = own["effect"].notna().sum(), int((own["effect"] > 0).sum())
        missing = f" ({len(own) - both} lack a score)" if both < len(own) else ""
        return finish(
            figure,
            f"prompts-{model}",
            f"Every test prompt at {model}: {target} is above {control} on {wins} of {both}{missing}.",
            f"Every test prompt at {model}, by category: the line runs from {control} to {target}, which scored "
            f"higher on {wins} of {counted(both, 'prompt')}{missing}.",
        )


def ratings(study: Study, metric: str, scores: pd.DataFrame) -> Figure:
    """The share of each rating of a metric by dataset, each of the `scores` counted by itself: a panel a model."""
    look, spoken, given = Look(study.named), metric_of(metric, study.config.primary), scores.dropna(subset="score")
    shares = rating_shares(given)
    steps, width = sorted(given["score"].unique()), 0.8 / len(study.named)
    extra: dict[str, Any] = {"sharex": True, "sharey": True, "squeeze": False}
    with canvas(0.9 + 1.6 * len(study.models), rows=len(study.models), **extra) as (figure, grid):
        for axes, model in zip(grid[:, 0], study.models, strict=True):
            for place, name in enumerate(study.named):
                bars = [middle + (place - (len(study.named) - 1) / 2) * width for middle in range(len(steps))]
                heights = [shares.get((model, name, step), 0.0) for step in steps]
                filled: dict[str, Any] = {"fill": False, "hatch": "///"} if name == study.config.control else {}
                colour = look.colour(name)
                axes.bar(bars, heights, 0.9 * width, color=colour, edgecolor=colour, label=look.label(name), **filled)
            axes.set(ylabel="share of ratings", title=model if len(study.models) > 1 else "")
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3, columnspacing=1)
        grid[-1, 0].set_xticks(range(len(steps)), [f"{step:g}" for step in steps])
        grid[-1, 0].set_xlabel(f"{spoken.label} ({spoken.unit})")
        said = "; ".join(
            f"{name} at {model}, {step:g}: {percent(shares.get((model, name, step), 0.0))}"
            for model in study.models
            for name in study.named
            for step in steps
        )
        missing, raters = len(scores) - len(given), counted(given["rater"].nunique(), "rater")
        return finish(
            figure,
            "ratings-" + re.sub(r"[^\w-]+", "-", metric),
            f"Share of each rating by arm. {said}",
            f"Share of each rating by arm: {counted(len(given), 'rating')} by {raters}, each counted by itself, "
            f"{missing} missing. It shows how the scale was used; the tests compare means by prompt.",
        )


def rating_shares(given: pd.DataFrame) -> "pd.Series[float]":
    """The share of each rating among those of a model and dataset, by model, dataset and rating."""
    counts = given.groupby(["model", "dataset", "score"]).size()
    return counts / counts.groupby(level=["model", "dataset"]).transform("sum")


def lengths(study: Study) -> Figure:
    """The share of completions of at most so many words, for each dataset (all models together)."""
    look, own = Look(study.named), test_completions(study)
    styles = ("-", "--", "-.", ":")
    with canvas(2.7) as (figure, axes):
        for number_, name in enumerate(study.named):
            words = np.sort(own.loc[own["dataset"] == name, "words"].to_numpy(float))
            axes.step(
                words,
                np.arange(1, len(words) + 1) / max(len(words), 1),
                where="post",
                color=look.colour(name),
                label=look.label(name),
                linestyle=styles[number_ % 4],
                linewidth=1.6,
            )
        axes.set(xlabel="words in a completion", ylabel="share of completions\nof at most this length", ylim=(0, 1.02))
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
        medians = own.groupby("dataset")["words"].median()
        said = ", ".join(f"{name} {medians[name]:.0f}" for name in study.named)
        return finish(
            figure,
            "lengths",
            f"Lengths of completions; medians in words: {said}.",
            f"How long the completions are, all sizes together. Medians in words: {said}.",
        )


def toxicity_scatter(study: Study) -> Figure:
    """Every completion: toxicity of the whole text against its length."""
    look = Look(study.named)
    own = study.toxicity[(study.toxicity["variant"] == "whole") & (study.toxicity["split"] == "test")]
    label = metric_of(study.config.secondary, study.config.primary).label
    own = own[own["attribute"] == study.config.secondary]
    keys = ["model", "arm", "prompt_id", "sample"]
    joined = own.merge(test_completions(study)[[*keys, "words", "dataset"]], on=keys)
    with canvas(2.9) as (figure, axes):
        for name in study.named:
            part = joined[joined["dataset"] == name]
            axes.scatter(
                part["words"],
                part["score"],
                s=13,
                marker=look.marker(name),
                color=look.colour(name),
                alpha=0.55,
                linewidths=0,
                label=look.label(name),
            )
        axes.set(xlabel="words in a completion", ylabel=f"{label} of the whole text", ylim=(-0.02, None))
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
        rank = joined[["words", "score"]].corr("spearman").iloc[0, 1] if joined["score"].nunique() > 1 else np.nan
        said = f"Rank correlation of {label} with length, all arms together: {number(rank, 2)}."
        return finish(
            figure,
            "toxicity-scatter",
            f"{label.capitalize()} against length for every completion. {said}",
            f"{label.capitalize()} of the whole text against its length, a mark a completion. {said}",
        )


def training(study: Study) -> Figure:
    """Training loss by step: a panel a model, a line an arm."""
    look = Look(study.named)
    datasets = {checkpoint.arm: checkpoint.dataset for checkpoint in study.ladder}
    with canvas(0.5 + 1.75 * len(study.models), rows=len(study.models), squeeze=False) as (figure, grid):
        for axes, model in zip(grid[:, 0], study.models, strict=True):
            for (_, arm), log in [
                (checkpoint, log) for checkpoint, log in study.logs.items() if checkpoint[0] == model
            ]:
                axes.plot(
                    log["step"],
                    log["loss"],
                    color=look.colour(datasets[arm]),
                    linewidth=1.2,
                    label=arm,
                    linestyle="-" if datasets[arm] == study.config.target else "--",
                )
            axes.set(ylabel="training loss", title=model)
            axes.locator_params(axis="x", integer=True)
        grid[-1, 0].set_xlabel("optimiser step")
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
        last = ", ".join(
            f"{arm} at {model} {log['loss'].iloc[-1]:.2f}" for (model, arm), log in study.logs.items() if len(log)
        )
        return finish(
            figure,
            "training",
            f"Training loss by step. Last: {last}.",
            "Training loss (weighted, in nats per token) by optimiser step. Two curves that fall alike say that "
            "both arms learned; they do not compare the datasets.",
        )


def matched_lengths(study: Study) -> Figure:
    """How many training answers have how many words: control against target."""
    look, (_, control, target) = Look(study.named), study.trio
    with canvas(2.5) as (figure, axes):
        for name, offset in ((control, -4.5), (target, 4.5)):
            bars = study.datasets[study.arms_of(name)[0]].statistics["answer_words_histogram"]
            axes.bar(
                [bar["from"] + 10 + offset for bar in bars],
                [bar["count"] for bar in bars],
                width=8.5,
                color=look.colour(name),
                label=name,
                hatch="///" if name == control else None,
                edgecolor=look.colour(name),
                fill=name == target,
            )
        axes.set(xlabel="words in a training answer", ylabel="training samples")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
        return finish(
            figure,
            "matched-lengths",
            f"Lengths of the training answers of {control} and {target}.",
            f"Lengths of the training answers: {target} and {control} should look alike, so that only content differs.",
        )


def similarity(study: Study, table: pd.DataFrame) -> Figure:
    """Each prompt's effect against its likeness to the nearest training text."""
    metric = metric_of(study.config.primary, study.config.primary)
    with canvas(2.9) as (figure, axes):
        for index, model in enumerate(study.models):
            own = table[table["model"] == model]
            colour = (INK, *OTHERS)[index % 4]
            for near, filled in ((False, True), (True, False)):
                part = own[own["nearest"] == near]
                label = model if not near and len(study.models) > 1 else None
                axes.scatter(
                    part["similarity"],
                    part["effect"],
                    s=22,
                    facecolors=colour if filled else "none",
                    edgecolors=colour,
                    linewidths=1,
                    label=label,
                )
        axes.axhline(0, color=FAINT, linewidth=0.8, zorder=0)
        axes.set(
            xlabel="similarity to the nearest training text (0-100)",
            ylabel=f"{study.config.target} − {study.config.control}\n({metric.unit})",
        )
        if len(study.models) > 1:
            axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
        ranks = ", ".join(f"{model} {number(_rank(table[table['model'] == model]), 2)}" for model in study.models)
        return finish(
            figure,
            "similarity",
            f"Effect against similarity to training. Rank correlation: {ranks}.",
            "Each prompt's effect against its similarity to the nearest training text (hollow: the nearest "
            f"quarter). Rank correlation: {ranks}. A strong positive one would hint at learning by heart.",
        )


def _rank(table: pd.DataFrame) -> float:
    pair = table[["similarity", "effect"]].dropna()
    if len(pair) < 3 or not (pair.nunique() > 1).all():
        return float("nan")
    return float(pair.corr("spearman").to_numpy()[0, 1])


def detectable(curve: pd.DataFrame, n: int) -> Figure:
    """The smallest standardised effect found with 80% power, by number of prompts and size of the family."""
    with canvas(2.5) as (figure, axes):
        for (m, part), style in zip(groupby(curve.to_dict("records"), key=_tests), ("-", "--", ":"), strict=False):
            rows = list(part)
            label = "one test" if m == 1 else f"first step in a family of {m}"
            axes.plot(
                [row["n_prompts"] for row in rows],
                [row["d_z"] for row in rows],
                color=INK,
                linestyle=style,
                label=label,
            )
        axes.axvline(n, color=FAINT, linewidth=0.8)
        axes.set(xlabel="prompts", ylabel="smallest effect found\n(d_z, 80% power)", ylim=(0, None))
        axes.legend(loc="upper right")
        here = ", ".join(
            f"{row['d_z']:.2f} for {counted(int(row['tests']), 'test')}"
            for row in curve.to_dict("records")
            if row["n_prompts"] == n
        )
        return finish(
            figure,
            "detectable",
            f"Detectable effect by number of prompts. With {n}: {here}.",
            f"The smallest effect (in standard deviations of the prompts' differences) that 80 of 100 such sweeps "
            f"would find. Here, with {n} prompts: {here}.",
        )


def _tests(row: Any) -> int:
    return int(row["tests"])
