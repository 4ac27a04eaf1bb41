"""Other abilities: what the tests of non-inferiority say, their tables, and how the tasks were run."""

import re

import pandas as pd

from tasks.formats.checkpoints import BASE
from tasks.reporting.data.study import Study
from tasks.reporting.figures import rows
from tasks.reporting.findings.capability import judgements, text_sentence
from tasks.reporting.page.section import Results, Section
from tasks.reporting.tables.columns import columns
from tasks.reporting.tables.tables import Table, shown

NOT_GIVEN = "not given"
METRICS = {"acc": "right answers", "acc_norm": "right answers, likelihoods divided by length"}
TASKS = (
    "task model arm against_arm verdict n accuracy_against accuracy points points_lo points_hi points_margin "
    "p_noninferior_corr p_loss_corr n_for_80 reason"
)
DOCUMENTS = "task model arm n mean_base mean diff ci_lo ci_hi p p_signflip n_missing reason"
SETTINGS = "task version num_fewshot items metric models"


def section(results: Results) -> Section:
    """What the harness measured; a table is there where a task of its kind was run."""
    study = results.study
    table, texts = study.tables["capability"], study.tables["documents_tests"]
    tables = [_settings(study)]
    if len(table):
        caption = "Every task, against base and against the control dataset"
        tables.append(shown("capability", caption, _points(table), columns(TASKS), table))
    if len(texts):
        headings = columns(DOCUMENTS, digits=4, task="texts", n="number", mean="arm, nats per byte")
        tables.append(shown("documents_tests", "Held-out texts, against base", texts, headings))
    return Section(
        "capability",
        "Other abilities",
        "Did other abilities stay?",
        {
            "judgements": judgements(table),
            "more": next((answer.more for answer in results.found.answers if answer.name == "capability"), ""),
            "texts": [text_sentence(row, study.config.confidence) for row in texts.to_dict("records")],
            "runs": [(model, study.capability[model, BASE]) for model in study.models],
            "command_of": _without_folders,
        },
        [rows.tasks(study, model) for model in study.models if model in set(table["model"])],
        tables,
    )


def _points(table: pd.DataFrame) -> pd.DataFrame:
    """The table with shares of items as points of a hundred, and with words for yes and no."""
    points = {"points": "diff", "points_lo": "ci90_lo", "points_hi": "ci90_hi", "points_margin": "margin"}
    words = table["informative"].map({True: "yes", False: "no"})
    return table.assign(**{name: 100 * table[key] for name, key in points.items()}, informative=words)


def _settings(study: Study) -> Table:
    """A row for each task and way of asking it; every arm of a model was asked alike."""
    rows_ = [
        {
            "task": name,
            **{key: NOT_GIVEN if task[key] is None else str(task[key]) for key in ("version", "num_fewshot")},
            "items": task["items"],
            "metric": _metric(study, name),
            "models": model,
        }
        for model in study.models
        for name, task in study.capability[model, BASE]["tasks"].items()
    ]
    headings = columns(SETTINGS, metric="what counts")
    table = pd.DataFrame(rows_, columns=[column.key for column in headings])
    table = table.groupby(SETTINGS.split()[:-1], sort=False)["models"].agg(", ".join).reset_index()
    return shown("capability-settings", "The tasks and how they were asked", table, headings)


def _metric(study: Study, task: str) -> str:
    if task in set(study.tables["documents_tests"]["task"]):
        return "log-likelihood per byte"
    return METRICS[study.margins[task].metric] if task in study.margins else NOT_GIVEN


def _without_folders(command: str) -> str:
    """The command without the folders of an absolute path, which are nobody's business."""
    return re.sub(r"(?<=[\s='\"])(?:/|~)(?:[^\s/,'\"]*/)+", "…/", command)
