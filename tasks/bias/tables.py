"""The tables of the co-occurrence analysis, a row a test, unrounded; and the few figures that a team tracks."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from tasks.bias.associations import Found, arm_change, leading
from tasks.formats.checkpoints import BASE, Checkpoint, Source
from tasks.inputs.probes import Family
from tasks.settings.cooccurrence import Cooccurrence

CHECKPOINT = ["model", "params", "model_family", "arm", "dataset", "seed", "family"]
CHANGE = ["contrast", "parts", "diff", "se", "df", "p", "ci_lo", "ci_hi"]


@dataclass(frozen=True)
class Part:
    """What was found for one family in one checkpoint."""

    checkpoint: Checkpoint
    source: Source
    family: Family
    found: Found
    word_sentiment: Mapping[str, float]
    sentiment: pd.DataFrame
    counts: pd.DataFrame

    @property
    def key(self) -> dict[str, Any]:
        """The columns that every table starts with."""
        return {
            "model": self.checkpoint.model,
            "params": self.source.parameters,
            "model_family": self.source.family,
            "arm": self.checkpoint.arm,
            "dataset": self.checkpoint.dataset,
            "seed": self.checkpoint.seed,
            "family": self.family.id,
        }

    @property
    def warned(self) -> dict[str, Any]:
        """The columns that say whether the counts are too small to say anything."""
        return {"too_few": self.found.few is not None, "warning": self.found.few}

    def keyed(self, table: pd.DataFrame) -> pd.DataFrame:
        """`table` with this part's columns before it and its warning after it."""
        return pd.DataFrame(self.key, index=table.index).join(table).assign(**self.warned)

    def words(self) -> pd.DataFrame:
        """The family's words, groups in the order of the probe file, with their sentiment."""
        table = self.found.words
        order = {group: i for i, group in enumerate(self.family.groups)}
        table = table.sort_values("group", key=lambda names: names.map(order), kind="stable")
        return table.assign(sentiment=table["word"].map(self.word_sentiment).astype("float64"))


def all_tables(parts: Sequence[Part], config: Cooccurrence) -> dict[str, pd.DataFrame]:
    """Every table by name; those of checkpoints keep the order of the ladder."""
    return {
        "words": stacked([part.keyed(part.words()) for part in parts]),
        "favoured": stacked([part.keyed(leading(part.words(), config.top)) for part in parts]),
        "sentiment": stacked([part.keyed(part.sentiment) for part in parts]),
        "divergence": pd.DataFrame([divergence_row(part) for part in parts]),
        "changes": changes(parts, config.confidence),
        "counts": stacked([part.keyed(part.counts) for part in parts]),
    }


def stacked(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The tables under one another; an empty one gives its columns only (pandas would lose their types)."""
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]


def divergence_row(part: Part) -> dict[str, Any]:
    """How far apart the groups are, with why the word table or the figure is missing."""
    figures = asdict(part.found.divergence)
    reason = figures.pop("reason")
    sizes = {"groups": len(part.family.groups), "templates": len(part.family.templates)}
    return part.key | sizes | figures | {"reason": reason, "reason_words": part.found.no_words} | part.warned


def changes(parts: Sequence[Part], confidence: float) -> pd.DataFrame:
    """Each tuned arm's corrected divergence less that of base, within model and family."""
    base = {(part.checkpoint.model, part.family.id): part for part in parts if part.checkpoint.arm == BASE}
    rows = []
    for part in parts:
        if part.checkpoint.arm == BASE:
            continue
        other = base[part.checkpoint.model, part.family.id]
        found = arm_change(part.found, other.found, confidence)
        few = next((f"{one.checkpoint.arm}: {one.found.few}" for one in (part, other) if one.found.few), None)
        left_out = part.found.left_out
        rows.append(
            part.key
            | {"contrast": f"{part.checkpoint.arm} - {BASE}", "parts": 0 if left_out is None else len(left_out[1])}
            | asdict(found)
            | {"too_few": few is not None, "warning": few}
        )
    return pd.DataFrame(rows, columns=[*CHECKPOINT, *CHANGE, "reason", "too_few", "warning"])


def warnings_of(divergences: pd.DataFrame) -> list[str]:
    """A line for every checkpoint and family whose counts are too small."""
    rows = divergences[divergences["too_few"]].to_dict("records")
    return [f"{row['model']}, {row['arm']}, {row['family']}: {row['warning']}" for row in rows]


def metrics(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Model → family → each arm's corrected divergence, and each tuned arm's change from base; null if none."""
    found: dict[str, Any] = {}
    for name, column, table in (
        ("divergence", "corrected", tables["divergence"]),
        ("minus_base", "diff", tables["changes"]),
    ):
        for row in table.to_dict("records"):
            figures = found.setdefault(row["model"], {}).setdefault(row["family"], {}).setdefault(name, {})
            figures[row["arm"]] = number(row[column])
    return found


def number(value: Any) -> float | None:
    """A plain float with six significant digits (so that a diff reads well), None if there is none."""
    return None if pd.isna(value) or not np.isfinite(value) else float(f"{value:.6g}")
