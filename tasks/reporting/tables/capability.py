"""The section on other abilities: its words, its tables, and how the tasks were run."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from tasks.reporting.data.study import Study
from tasks.reporting.findings.capability import Judgement, judgements, text_sentence
from tasks.reporting.findings.comparison import Row
from tasks.reporting.tables.columns import Column
from tasks.reporting.tables.tables import Table, shown

NOT_GIVEN = "not given"
METRICS = {"acc": "right answers", "acc_norm": "right answers, likelihoods divided by length"}
COLUMNS = (
    Column("task", "task"),
    Column("model", "model"),
    Column("arm", "arm"),
    Column("verdict", "verdict"),
    Column("n", "items", "count"),
    Column("chance", "chance", "percent", 1),
    Column("accuracy_base", "right: base", "percent", 1),
    Column("accuracy", "right: arm", "percent", 1),
    Column("points", "difference, points", "signed", 1),
    Column("points_lo", "90% interval from", "signed", 1),
    Column("points_hi", "to", "signed", 1),
    Column("points_margin", "margin, points", "number", 1),
    Column("p_noninferior", "p non-inferior", "number", 4),
    Column("p_equivalent", "p equivalent", "number", 4),
    Column("p_loss", "p loss", "number", 4),
    Column("p_loss_corr", "p loss, corrected", "number", 4),
    Column("m_loss", "tests of a loss", "count"),
    Column("informative", "informative"),
    Column("n_for_80", "items for 80% power", "count"),
    Column("b", "gained", "count"),
    Column("c", "lost", "count"),
    Column("n_missing", "missing", "count"),
    Column("design_effect", "design effect", "number", 2),
    Column("reason", "why not tested"),
)
DOCUMENTS = (
    Column("task", "texts"),
    Column("model", "model"),
    Column("arm", "arm"),
    Column("n", "number", "count"),
    Column("mean_base", "base, nats per byte", "signed", 4),
    Column("mean", "arm, nats per byte", "signed", 4),
    Column("diff", "difference", "signed", 4),
    Column("ci_lo", "interval from", "signed", 4),
    Column("ci_hi", "to", "signed", 4),
    Column("p", "p", "number", 4),
    Column("p_signflip", "p sign flips", "number", 4),
    Column("n_missing", "missing", "count"),
    Column("reason", "why not tested"),
)
SETTINGS = (
    Column("task", "task"),
    Column("version", "version"),
    Column("num_fewshot", "examples before an item"),
    Column("items", "items", "count"),
    Column("metric", "what counts"),
    Column("models", "models"),
)


@dataclass(frozen=True)
class Run:
    """How base was asked at a model, and the harness's own command that repeats its figures."""

    model: str
    how: str
    command: str


@dataclass(frozen=True)
class Section:
    """What the page shows of capability; a table is None where no task of its kind was run."""

    judgements: Sequence[Judgement]
    tasks: Table | None
    texts: Sequence[str]
    documents: Table | None
    settings: Table
    runs: Sequence[Run]


def section(study: Study) -> Section:
    """Words and tables of the current ladder."""
    table, texts = study.tables["capability"], study.tables["documents_tests"]
    return Section(
        judgements=judgements(table),
        tasks=shown("capability", "Every task, against base", _points(table), COLUMNS, table) if len(table) else None,
        texts=[text_sentence(row, study.config.confidence) for row in texts.to_dict("records")],
        documents=shown("documents_tests", "Held-out texts, against base", texts, DOCUMENTS) if len(texts) else None,
        settings=shown("capability-settings", "The tasks and how they were asked", _settings(study), SETTINGS),
        runs=[_run(model, study.capability[model, "base"]) for model in study.models],
    )


def _points(table: pd.DataFrame) -> pd.DataFrame:
    """The table with shares of items as points of a hundred, and with words for yes and no."""
    points = {"points": "diff", "points_lo": "ci90_lo", "points_hi": "ci90_hi", "points_margin": "margin"}
    words = table["informative"].map({True: "yes", False: "no"})
    return table.assign(**{name: 100 * table[key] for name, key in points.items()}, informative=words)


def _settings(study: Study) -> pd.DataFrame:
    """A row for each task and way of asking it; every arm of a model was asked alike."""
    rows = [
        {
            "task": name,
            "version": NOT_GIVEN if task["version"] is None else str(task["version"]),
            "num_fewshot": NOT_GIVEN if task["num_fewshot"] is None else str(task["num_fewshot"]),
            "items": task["items"],
            "metric": _metric(study, name),
            "models": model,
        }
        for model in study.models
        for name, task in study.capability[model, "base"]["tasks"].items()
    ]
    table = pd.DataFrame(rows, columns=[column.key for column in SETTINGS])
    keys = [key for key in table if key != "models"]
    return table.groupby(keys, sort=False)["models"].agg(", ".join).reset_index()


def _metric(study: Study, task: str) -> str:
    if task in set(study.tables["documents_tests"]["task"]):
        return "log-likelihood per byte"
    return METRICS[study.margins[task].metric] if task in study.margins else NOT_GIVEN


def _run(model: str, results: Row) -> Run:
    how = f"lm-evaluation-harness {results['harness']}, {results['precision']}, {results['batch_size']} texts at once"
    return Run(model, how, _without_folders(str(results["command"])))


def _without_folders(command: str) -> str:
    """The command without the folders of an absolute path, which are nobody's business."""
    return re.sub(r"(?<=[\s='\"])(?:/|~)(?:[^\s/,'\"]*/)+", "…/", command)
