"""significance: the tests, from every score of the ladder.

`python -m tasks significance --adherence data/made/adherence --toxicity data/made/toxicity/scores.parquet
--capability data/made/capability --sources data/made/sources --tables data/made/significance
--metrics data/metrics.json`

A metric is a long table of scores by model, arm, prompt and sample (and rater); claims use the test prompts only.
Any Parquet file directly in the adherence folder brings further metrics (`score_tables`): what raters or judges say of
the completions needs no change here. Capability is tested apart, by item.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.formats.checkpoints import Checkpoint, Source, checkpoints, read_source
from tasks.formats.tables import read_table
from tasks.harness.results import document_table, items_with_metric, read_items, sets_with_margin
from tasks.runtime.command import Command, Job
from tasks.runtime.errors import InputError
from tasks.runtime.files import atomic_write, write_json
from tasks.settings.capability import CapabilityRun, Margin
from tasks.settings.significance import Significance
from tasks.settings.sweep import Arm, Sweep
from tasks.stats.anova import arm_by_size
from tasks.stats.capability import capability
from tasks.stats.contrasts import contrasts
from tasks.stats.documents import document_tests
from tasks.stats.missing import missing
from tasks.stats.plan import Plan, plan_of
from tasks.stats.seedstyle import seed_style
from tasks.stats.sensitivity import sensitivity
from tasks.stats.trend import trend
from tasks.stats.variance import variance_components

COMMAND = Command(
    help="Tests what fine-tuning changed.",
    inputs={
        "adherence": "folder of the likelihood scores",
        "toxicity": "Parquet of the toxicity scores",
        "capability": "folder of the capability tasks' results",
        "sources": "folder of the models' sources",
    },
    outputs={"tables": "folder of the test tables", "metrics": "JSON: the few figures a team tracks"},
    params=("sweep", "arms", "capability.run", "capability.margins", "significance"),
)
PRIMARY_VARIANT = "first_n"
TRACKED = ("diff", "ci_lo", "ci_hi", "p_corr")
SCORE = ["metric", "category", "prompt_id", "split", "sample", "score"]


def main(job: Job) -> None:
    """Reads every score of the ladder, tests, and writes the tables and the metrics."""
    config = job.section("significance", Significance)
    sweep = job.section("sweep", Sweep)
    ladder = list(checkpoints(sweep, job.mapping("arms", Arm)))
    require_datasets(ladder, config)
    sources = {model: read_source(job.path("sources"), model) for model in sweep.models}
    scores = pd.concat(
        [
            adherence_scores(job.path("adherence"), ladder, sources),
            toxicity_scores(job.path("toxicity"), ladder, sources),
            *score_tables(job.path("adherence"), ladder, sources),
        ],
        ignore_index=True,
    )
    items = read_items(job.path("capability"), ladder, sources)
    run, margins = job.section("capability.run", CapabilityRun), job.section("capability.margins", dict[str, Margin])
    tables = test_tables(scores, plan_of(config, sweep)) | capability_tables(items, run, margins, config)
    with atomic_write(job.path("tables")) as folder:
        folder.mkdir()
        scores.to_parquet(folder / "scores.parquet", index=False)
        for name, table in tables.items():
            table.to_csv(folder / f"{name}.csv", index=False)
    write_json(job.path("metrics"), metrics(tables, config))


def require_datasets(ladder: Sequence[Checkpoint], config: Significance) -> None:
    """Raises InputError if no arm of the ladder was trained on the target or the control dataset."""
    found = {checkpoint.dataset for checkpoint in ladder}
    for key in ("target", "control"):
        if (wanted := getattr(config, key)) not in found:
            raise InputError(
                f"params.yaml: significance.{key}: no arm of sweep.tuned is trained on '{wanted}' "
                f"(found {', '.join(sorted(found - {'base'}))}); add one or name another dataset"
            )


def adherence_scores(folder: Path, ladder: Sequence[Checkpoint], sources: Mapping[str, Source]) -> pd.DataFrame:
    """Two metrics: `adherence`, the margin in nats per token, and `adherence_less_free`, less the margin that
    the answers have without the prompt."""
    parts = []
    for checkpoint in ladder:
        table = read_table(folder / checkpoint.model / f"{checkpoint.arm}.parquet")
        for metric, values in (
            ("adherence", table["margin"]),
            ("adherence_less_free", table["margin"] - table["margin_free"]),
        ):
            part = table[["category", "prompt_id", "split"]].assign(metric=metric, sample=0, score=values)
            parts.append(_with_checkpoint(part, checkpoint, sources[checkpoint.model]).assign(reason=None))
    return pd.concat(parts, ignore_index=True)


def toxicity_scores(path: Path, ladder: Sequence[Checkpoint], sources: Mapping[str, Source]) -> pd.DataFrame:
    """A metric for each attribute: the primary variant under the attribute's name, the others as
    `ATTRIBUTE (variant)`."""
    table = read_table(path)
    scorers = table[["scorer", "scorer_version"]].drop_duplicates()
    if len(scorers) != 1:
        raise InputError(f"{path}: scores of {len(scorers)} scorers are mixed; they are not comparable")
    primary = table["variant"] == PRIMARY_VARIANT
    table["metric"] = table["attribute"].where(primary, table["attribute"] + " (" + table["variant"] + ")")
    parts = []
    for checkpoint in ladder:
        part = table[(table["model"] == checkpoint.model) & (table["arm"] == checkpoint.arm)]
        columns = ["metric", "category", "prompt_id", "split", "sample", "score"]
        parts.append(
            _with_checkpoint(part[columns].assign(reason=part["error"]), checkpoint, sources[checkpoint.model])
        )
    return pd.concat(parts, ignore_index=True)


def score_tables(folder: Path, ladder: Sequence[Checkpoint], sources: Mapping[str, Source]) -> list[pd.DataFrame]:
    """The metrics of every Parquet file directly in the folder: `SCORE`, `model` (the model), `arm`, and optionally
    `rater` (one row a rating) and `reason` (why a score is null).

    Raises InputError for a missing column.
    """
    parts = []
    for path in sorted(folder.glob("*.parquet")):
        table = read_table(path)
        if absent := [name for name in (*SCORE, "model", "arm") if name not in table]:
            raise InputError(f"{path}: no column {', '.join(absent)}")
        kept = [*SCORE, *(name for name in ("rater", "reason") if name in table)]
        for checkpoint in ladder:
            part = table.loc[(table["model"] == checkpoint.model) & (table["arm"] == checkpoint.arm), kept]
            parts.append(_with_checkpoint(part, checkpoint, sources[checkpoint.model]))
    return parts


def _with_checkpoint(table: pd.DataFrame, checkpoint: Checkpoint, source: Source) -> pd.DataFrame:
    return table.assign(
        model=checkpoint.model,
        params=source.parameters,
        model_family=source.family,
        arm=checkpoint.arm,
        dataset=checkpoint.dataset,
        seed=checkpoint.seed,
    )


def test_tables(scores: pd.DataFrame, plan: Plan) -> dict[str, pd.DataFrame]:
    """Every table of tests, from the scores on the test prompts; and the same contrasts on validation."""
    test = scores[scores["split"] == "test"]
    validation = scores[scores["split"] == "validation"]
    return {
        "contrasts": contrasts(test, plan),
        "trend": trend(test, plan),
        "seedstyle": seed_style(test, plan),
        "anova": arm_by_size(test, plan),
        "sensitivity": sensitivity(test, plan),
        "variance": variance_components(test, plan),
        "missing": missing(scores),
        "validation": contrasts(validation, plan),
    }


def capability_tables(
    items: pd.DataFrame, run: CapabilityRun, margins: Mapping[str, Margin], config: Significance
) -> dict[str, pd.DataFrame]:
    """`capability`: a row per task, model and tuned arm, and per set (`whole_set`) with all its items together;
    `documents` and `documents_tests`: the change in nats per byte, of each held-out text and in the mean."""
    by_key = {key: {name: getattr(one, key) for name, one in margins.items()} for key in ("margin", "chance")}
    table = capability(items_with_metric(items, margins, run), margins=by_key["margin"], chances=by_key["chance"])
    sets = sets_with_margin(table["task"].unique(), margins, run)
    table.insert(1, "whole_set", table["task"].isin(sets))
    documents = document_table(items)
    how: dict[str, Any] = {key: getattr(config, key) for key in ("confidence", "permutations", "seed")}
    return {"capability": table, "documents": documents, "documents_tests": document_tests(documents, **how)}


def metrics(tables: Mapping[str, pd.DataFrame], config: Significance) -> dict[str, Any]:
    """Metric → model → contrast → the tracked figures; `capability` → model → arm → set or held-out text. A figure
    that could not be had is null."""
    table = tables["contrasts"]
    found: dict[str, Any] = {}
    rows = table[(table["category"] == "all") & table["metric"].isin([config.primary, config.secondary])]
    for row in rows.to_dict("records"):
        name = row["contrast"].replace(" - ", "_minus_")
        figures = {key: number(row[key]) for key in TRACKED}
        found.setdefault(row["metric"], {}).setdefault(row["model"], {})[name] = figures
    accuracy, texts = tables["capability"], tables["documents_tests"]
    kept = ((accuracy[accuracy["whole_set"]], ("diff", "ci90_lo", "ci90_hi")), (texts, ("diff", "ci_lo", "ci_hi")))
    for part, keys in kept:
        for row in part.to_dict("records"):
            of_arm = found.setdefault("capability", {}).setdefault(row["model"], {}).setdefault(row["arm"], {})
            of_arm[row["task"]] = {key: number(row[key]) for key in keys}
    return found


def number(value: Any) -> float | None:
    """A plain float with six significant digits (so that a diff reads well), None if there is none."""
    return None if pd.isna(value) or not np.isfinite(value) else float(f"{value:.6g}")
