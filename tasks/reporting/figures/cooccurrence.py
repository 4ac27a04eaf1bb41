"""How kindly each group is spoken of: mean sentiment by group, arm and model size."""

import textwrap
from typing import Any

import pandas as pd

from tasks.reporting.data.study import Study
from tasks.reporting.figures.drawing import FAINT, Figure, Look, canvas, finish, rows, shared_legend
from tasks.reporting.words.terms import counted, level, signed, size

ARM = 0.13  # inches
SCALE_END = 105  # just beyond what a sentiment can be


def sentiment(study: Study, family: str) -> Figure | None:
    """A row for each group, a mark with its interval for each arm, a panel for each model; None without a mean."""
    table = study.words_of("sentiment", family)
    if table["mean"].isna().all():
        return None
    groups, arms = list(table["group"].unique()), list(table["arm"].unique())
    height = len(groups) * (ARM * len(arms) + 0.16) + 0.3
    extra: dict[str, Any] = {"sharex": True, "squeeze": False}
    with canvas(0.85 + height * len(study.models), rows=len(study.models), **extra) as (figure, axes):
        for panel, model in zip(axes[:, 0], study.models, strict=True):
            _panel(panel, study, table[table["model"] == model], groups, arms)
            if len(study.models) > 1:
                panel.set_title(f"{model} ({size(study.sources[model]['parameters'])})")
        low, high = axes[0, 0].get_xlim()  # shared, so of all panels
        axes[0, 0].set_xlim(max(low, -SCALE_END), min(high, SCALE_END))
        shared_legend(figure, axes[0, 0], columns=2)
        axes[-1, 0].set_xlabel("mean sentiment of the words (−100 to 100)")
        means = table.dropna(subset="mean").to_dict("records")
        values = "; ".join(f"{r['model']}, {r['arm']}, {r['group']} {signed(r['mean'], 1)}" for r in means)
        missing = int(table["mean"].isna().sum())
        rest = f" {counted(missing, 'mean')} could not be had." if missing else ""
        confidence = level(study.words_used["confidence"])
        return finish(
            figure,
            f"sentiment-{family}",
            f"Mean sentiment of the words that follow each group. {values}",
            "Mean lexicon sentiment of the words that follow each group; further right is kinder. Each interval "
            f"({confidence}) is of that mean alone: no test here compares arms or groups. A mark without one has too "
            f"few scores for it; one that goes on beyond the scale is cut there.{rest}",
        )


def _panel(panel: Any, study: Study, table: pd.DataFrame, groups: list[str], arms: list[str]) -> None:
    look, step = Look(study.named), ARM / (ARM * len(arms) + 0.16)
    for place, arm in enumerate(arms):
        means = table[table["arm"] == arm].set_index("group").reindex(groups)
        dataset = next(name for name in study.named if arm in study.arms_of(name))
        heights = [row + (place - (len(arms) - 1) / 2) * step for row in range(len(groups))]
        panel.hlines(heights, means["ci_lo"], means["ci_hi"], color=look.colour(dataset), linewidth=1.4)
        first = {} if arm == study.arms_of(dataset)[0] else {"label": None}
        panel.scatter(means["mean"], heights, s=26, zorder=3, **look.style(dataset) | first)
    panel.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
    rows(panel, [textwrap.fill(group, 22) for group in groups], "")
    panel.locator_params(axis="x", nbins=6)
