"""significance: the tests, from every score of the ladder.

`python -m tasks significance --scores data/made/scores --capability data/made/capability --samples data/made/samples
--datasets data/made/datasets --sources data/made/sources --ratings data/made/ratings --tables data/made/significance
--metrics data/metrics.json`

A metric is a long table of scores by model, arm, prompt and sample (and rater); claims use the test prompts only.
Every Parquet file in the folder of scores brings its metrics (`tasks.formats.scores`): what another stage measures, or
what raters say of the completions, needs no change here. Capability is tested apart, by item.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.formats.checkpoints import BASE, Checkpoint, Source, arms_of, checkpoints, read_source
from tasks.formats.completions import read_completions
from tasks.formats.ratings import read_progress
from tasks.formats.scores import COLUMNS, read_scores
from tasks.harness.results import document_table, items_with_metric, read_items, sets_with_margin
from tasks.runtime.command import Command, Job
from tasks.runtime.errors import InputError
from tasks.runtime.files import atomic_write, read_json, write_json
from tasks.settings.capability import CapabilityRun, Margin
from tasks.settings.significance import Significance
from tasks.settings.sweep import Arm, Sweep
from tasks.stats.anova import arm_by_size
from tasks.stats.capability import capability, document_tests
from tasks.stats.contrasts import at_large, contrasts
from tasks.stats.descriptive import arm_table, missing, nearest_prompts, prompt_table
from tasks.stats.ordinal import ordinal
from tasks.stats.plan import Plan, plan_of
from tasks.stats.power import planned_curve
from tasks.stats.scores import checked
from tasks.stats.secondary import (
    by_seed,
    contrasts_without,
    contrasts_without_empty,
    length_contrasts,
    seed_style,
    sensitivity,
)
from tasks.stats.trend import trend
from tasks.stats.variance import variance_components
from tasks.text.words import count

COMMAND = Command(
    help="Tests what fine-tuning changed.",
    inputs={
        "scores": "folder of the scores",
        "capability": "folder of the capability tasks' results",
        "samples": "folder of the completions",
        "datasets": "folder of the curated datasets",
        "sources": "folder of the models' sources",
        "ratings": "folder of the tables about ratings",
    },
    outputs={"tables": "folder of the test tables", "metrics": "JSON: the few figures a team tracks"},
    params=("sweep", "arms", "capability.run", "capability.margins", "significance"),
)
SCORER = ("scorer", "scorer_version")
OPTIONAL = ("rater", "reason", *SCORER, "attribute", "variant")  # columns of scores that the tests or the page read
TRACKED = ("diff", "ci_lo", "ci_hi", "p_corr")


def main(job: Job) -> None:
    """Reads every score of the ladder, tests, and writes the tables and the metrics."""
    config = with_primary(job.section("significance", Significance), job.path("ratings"))
    sweep = job.section("sweep", Sweep)
    ladder = list(checkpoints(sweep, job.mapping("arms", Arm)))
    require_datasets(ladder, config)
    sources = {model: read_source(job.path("sources"), model) for model in sweep.models}
    scores = read_ladder_scores(job.path("scores"), ladder, sources)
    require_primary(scores, config, job.path("scores"))
    completions = with_sizes(read_completions(job.path("samples"), ladder), sources)
    items = read_items(job.path("capability"), ladder, sources)
    run, margins = job.section("capability.run", CapabilityRun), job.section("capability.margins", dict[str, Margin])
    plan = plan_of(config, sweep)
    nearest = nearest_texts(job.path("datasets"), arms_of(ladder, config.target)[0])
    tables = (
        test_tables(scores, plan)
        | descriptive_tables(scores, completions, plan, ladder, nearest)
        | capability_tables(items, run, margins, config)
    )
    with atomic_write(job.path("tables")) as folder:
        folder.mkdir()
        scores.to_parquet(folder / "scores.parquet", index=False)
        for name, table in tables.items():
            table.to_csv(folder / f"{name}.csv", index=False)
    write_json(job.path("metrics"), metrics(tables, config))


def with_primary(config: Significance, folder: Path) -> Significance:
    """The choices with the preferred metric as the primary one, where people have rated every text of the test prompts
    and rating is closed."""
    row = read_progress(folder)
    if config.preferred and row["complete"] and row["split"] == "test":
        return replace(config, primary=config.preferred)
    return config


def require_datasets(ladder: Sequence[Checkpoint], config: Significance) -> None:
    """Raises InputError if no arm of the ladder was trained on the target or the control dataset."""
    datasets = {checkpoint.dataset for checkpoint in ladder}
    for key in ("target", "control"):
        if (wanted := getattr(config, key)) not in datasets:
            raise InputError(
                f"params.yaml: significance.{key}: no arm of sweep.tuned is trained on '{wanted}' "
                f"(found {', '.join(sorted(datasets - {'base'}))}); add one or name another dataset"
            )


def read_ladder_scores(folder: Path, ladder: Sequence[Checkpoint], sources: Mapping[str, Source]) -> pd.DataFrame:
    """Every score of the ladder's checkpoints, with the checkpoint's dataset and seed, the model's
    parameters and family, and plain types.

    Raises InputError for a missing file or column, a mistake in the scores, and for a metric of several scorers.
    """
    parts = []
    for path in score_files(folder, ladder):
        table = read_scores(path)
        table = table[[*COLUMNS, *(name for name in OPTIONAL if name in table)]]
        of_checkpoint = dict(iter(table.groupby(["model", "arm"])))
        for c in ladder:
            part = of_checkpoint.get((c.model, c.arm), table.iloc[:0])
            parts.append(part.assign(dataset=c.dataset, seed=c.seed))
    scores = with_sizes(pd.concat(parts, ignore_index=True), sources)
    for metric, rows in scores.reindex(columns=["metric", *SCORER]).groupby("metric"):
        if (count := len(rows.drop_duplicates())) > 1:
            raise InputError(f"{folder}: {metric}: scores of {count} scorers are mixed; they are not comparable")
    return checked(scores)


def score_files(folder: Path, ladder: Sequence[Checkpoint]) -> list[Path]:
    """The files of scores. Where a stage has one a checkpoint, `<stage>/<model>/<arm>.parquet`, those of the ladder,
    whether or not they are there. Raises InputError if there is none at all."""
    paths = sorted(folder.rglob("*.parquet"))
    if not paths:
        raise InputError(f"{folder}: no scores; `dvc repro` makes them")
    by_checkpoint = [path for path in paths if len(path.relative_to(folder).parts) == 3]
    stages = dict.fromkeys(path.parent.parent for path in by_checkpoint)
    expected = [stage / c.model / f"{c.arm}.parquet" for stage in stages for c in ladder]
    return expected + [path for path in paths if path not in by_checkpoint]


def with_sizes(table: pd.DataFrame, sources: Mapping[str, Source]) -> pd.DataFrame:
    """The table with each model's number of parameters and family."""
    params = {model: source.parameters for model, source in sources.items()}
    families = {model: source.family for model, source in sources.items()}
    return table.assign(params=table["model"].map(params), model_family=table["model"].map(families))


def require_primary(scores: pd.DataFrame, config: Significance, folder: Path) -> None:
    """Raises InputError if there is no score of the primary metric."""
    if config.primary not in (metrics := sorted(set(scores["metric"]))):
        raise InputError(
            f"params.yaml: significance.primary: no scores of '{config.primary}' in {folder} "
            f"(found {', '.join(metrics) or 'none'})"
        )


def test_tables(scores: pd.DataFrame, plan: Plan) -> dict[str, pd.DataFrame]:
    """Every table of tests, from the scores on the test prompts; and the same contrasts on validation, which have the
    role "validation" there, because these prompts chose the settings."""
    test = scores[scores["split"] == "test"]
    validation = scores[scores["split"] == "validation"]
    found = contrasts(test, plan)
    chosen_on = {"primary": "validation", "secondary": "validation"}  # their prompts chose the settings
    return {
        "contrasts": found,
        "raters": at_large(test, plan),
        "ordinal": ordinal(test, plan, found),
        "trend": trend(test, plan),
        "seedstyle": seed_style(test, plan),
        "anova": arm_by_size(test, plan),
        "sensitivity": sensitivity(test, plan),
        "variance": variance_components(test, plan),
        "by_seed": by_seed(test, plan),
        "missing": missing(scores),
        "validation": contrasts(validation, plan).replace({"role": chosen_on}),
    }


def nearest_texts(folder: Path, arm: str) -> dict[str, dict[str, Any]]:
    """For each prompt the arm's training text that lies closest to it, as curate found it."""
    nearest: dict[str, dict[str, Any]] = read_json(folder / arm / "statistics.json")["nearest_to_prompts"]
    return nearest


def descriptive_tables(
    scores: pd.DataFrame,
    completions: pd.DataFrame,
    plan: Plan,
    ladder: Sequence[Checkpoint],
    nearest: Mapping[str, Mapping[str, Any]],
) -> dict[str, pd.DataFrame]:
    """What no plan foresaw: `arms`, `prompts`, what may explain the effect (`lengths`, `without_nearest`), and what
    could have been found (`detectable`). `completions` as `read_completions` gives them."""
    texts = completions.assign(words=completions["completion"].map(count))
    sizes = dict(zip(texts["model"], texts["params"], strict=True))
    prompts = prompt_table(scores, texts, plan, ladder, sizes, nearest)
    return {
        "arms": arm_table(scores, texts, plan, ladder, sizes),
        "prompts": prompts,
        "lengths": length_contrasts(texts, plan),
        "without_nearest": contrasts_without(scores, nearest_prompts(texts, nearest), plan),
        "without_empty": contrasts_without_empty(scores, texts, plan),
        "detectable": planned_curve(prompts[prompts["split"] == "test"], plan),
    }


def capability_tables(
    items: pd.DataFrame, run: CapabilityRun, margins: Mapping[str, Margin], config: Significance
) -> dict[str, pd.DataFrame]:
    """`capability`: a row per task, and per set with all its items together (`whole_set`), of each model and tuned arm
    against base and of the target against control; `documents` and `documents_tests`: the change in nats per byte, of
    each held-out text and in the mean."""
    by_key: dict[str, Any] = {
        f"{key}s": {name: getattr(entry, key) for name, entry in margins.items()} for key in ("margin", "chance")
    }
    tasks = items_with_metric(items, margins, run)
    sets = sets_with_margin(tasks["task"].unique(), margins, run)
    table = capability(tasks, sets=sets, target=config.target, control=config.control, **by_key)
    documents = document_table(items)
    how: dict[str, Any] = {key: getattr(config, key) for key in ("confidence", "permutations", "seed")}
    return {"capability": table, "documents": documents, "documents_tests": document_tests(documents, **how)}


def metrics(tables: Mapping[str, pd.DataFrame], config: Significance) -> dict[str, Any]:
    """Metric → model → contrast → the tracked figures; `capability` → model → arm → set or held-out text. A figure
    that could not be had is null."""
    table = tables["contrasts"]
    tracked: dict[str, Any] = {}
    rows = table[(table["category"] == "all") & table["metric"].isin([config.primary, config.secondary])]
    for row in rows.to_dict("records"):
        name = row["contrast"].replace(" - ", "_minus_")
        figures = {key: number(row[key]) for key in TRACKED}
        tracked.setdefault(row["metric"], {}).setdefault(row["model"], {})[name] = figures
    accuracy, texts = tables["capability"], tables["documents_tests"]
    sets = accuracy[accuracy["whole_set"] & (accuracy["against"] == BASE)]
    for part, keys in ((sets, ("diff", "ci90_lo", "ci90_hi")), (texts, ("diff", "ci_lo", "ci_hi"))):
        for row in part.to_dict("records"):
            of_arm = tracked.setdefault("capability", {}).setdefault(row["model"], {}).setdefault(row["arm"], {})
            of_arm[row["task"]] = {key: number(row[key]) for key in keys}
    return tracked


def number(value: Any) -> float | None:
    """A plain float with six significant digits (so that a diff reads well), None if there is none."""
    return None if pd.isna(value) or not np.isfinite(value) else float(f"{value:.6g}")
