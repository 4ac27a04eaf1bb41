"""report: one self-contained page with the answers, the figures and the limits of a sweep.

`python -m tasks report --samples data/made/samples --toxicity data/made/toxicity/scores.parquet
--significance data/made/significance --cooccurrence data/made/cooccurrence --capability data/made/capability
--datasets data/made/datasets --sources data/made/sources --logs data/made/logs --prompts data/prompts
--positions data/values --report data/made/report --plots data/made/plots`
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tasks.reporting.data.study import Study, read_study
from tasks.reporting.page import provenance
from tasks.reporting.page.contents import Page, compose
from tasks.reporting.page.plots import plots
from tasks.reporting.page.render import TABLES, render
from tasks.reporting.tables.tables import csv_text
from tasks.runtime.command import Command, Job
from tasks.runtime.files import atomic_write
from tasks.settings.adherence import Adherence
from tasks.settings.capability import Capability
from tasks.settings.cooccurrence import Cooccurrence
from tasks.settings.curate import Curate
from tasks.settings.finetune import Finetune
from tasks.settings.generate import Generate
from tasks.settings.models import Model
from tasks.settings.probe import Probe
from tasks.settings.prompting import Prompting
from tasks.settings.report import Report
from tasks.settings.significance import Significance
from tasks.settings.sweep import Arm, Sweep
from tasks.settings.toxicity import Toxicity

COMMAND = Command(
    help="Writes the report of a sweep.",
    inputs={
        "samples": "folder of the completions",
        "toxicity": "Parquet of the toxicity scores",
        "significance": "folder of the test tables",
        "cooccurrence": "folder of the tables of words that follow each group",
        "capability": "folder of the capability tasks' results",
        "datasets": "folder of the curated datasets",
        "sources": "folder of the models' sources",
        "logs": "folder of the training logs",
        "prompts": "folder of the evaluation prompts",
        "positions": "folder of the values dataset, with the categories' titles",
    },
    outputs={"report": "folder of the page, its figures and tables", "plots": "folder of CSV files for `dvc plots`"},
    params=(
        "sweep",
        "arms",
        "models",
        "significance",
        "report",
        "prompting",
        "curate",
        "finetune",
        "generate",
        "adherence",
        "capability",
        "toxicity",
        "probe",
        "cooccurrence",
    ),
)
SECTIONS = {
    "prompting": Prompting,
    "curate": Curate,
    "finetune": Finetune,
    "generate": Generate,
    "adherence": Adherence,
    "capability": Capability,
    "toxicity": Toxicity,
    "probe": Probe,
    "cooccurrence": Cooccurrence,
    "significance": Significance,
    "report": Report,
}


def main(job: Job) -> None:
    """Reads the ladder's results, writes the page with its figures and tables, and the plots' data."""
    study = read_study(job)
    page = compose(study)
    html, left_out = render(page, choices(job), origins(job, study))
    with atomic_write(job.path("report")) as folder:
        folder.mkdir()
        (folder / "index.html").write_text(html, "utf-8")
        (folder / "findings.txt").write_text("".join(f"{line}\n" for line in page.found.lines), "utf-8")
        save_figures(folder / "figures", page)
        save_tables(folder / TABLES, page, left_out)
    with atomic_write(job.path("plots")) as folder:
        folder.mkdir()
        for name, table in plots(study, page.arms).items():
            (folder / f"{name}.csv").write_text(csv_text(table), "utf-8")


def choices(job: Job) -> dict[str, Any]:
    """The sections of params.yaml that shaped the results; of the catalogues only what the sweep used."""
    sweep = job.section("sweep", Sweep)
    found: dict[str, Any] = {"sweep": sweep}
    found["arms"] = {name: arm for name, arm in job.mapping("arms", Arm).items() if name in sweep.tuned}
    found |= {name: job.section(name, cls) for name, cls in SECTIONS.items()}
    toxicity = asdict(found["toxicity"])  # of the scorers' settings only the chosen one's
    found["toxicity"] = {
        key: value for key, value in toxicity.items() if not isinstance(value, Mapping) or key == toxicity["scorer"]
    }
    models = job.mapping("models", Model)
    found["models"] = {model: {"finetune": models[model].finetune} for model in sweep.models}
    return found


def origins(job: Job, study: Study) -> Mapping[str, Any]:
    """Where models, data and this page come from."""
    return {
        "models": provenance.models({model: study.sources[model] for model in study.models}),
        "data": provenance.data_hashes(job.path("datasets"), job.path("prompts"), study.sweep.tuned),
        "durations": provenance.durations(study.sweep),
        "machine": provenance.machine(),
    }


def save_figures(folder: Path, page: Page) -> None:
    """Every figure as SVG and PNG."""
    folder.mkdir()
    for figure in page.figures.values():
        (folder / f"{figure.name}.svg").write_text(figure.svg_file, "utf-8")
        (folder / f"{figure.name}.png").write_bytes(figure.png_file)


def save_tables(folder: Path, page: Page, left_out: Mapping[str, str]) -> None:
    """The tables of tests as they came, what this stage measured, and what the page left out, unrounded."""
    folder.mkdir()
    for name, text in left_out.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    own = {"arms": page.arms, "prompts": page.prompts}
    words = {f"words-{name}": table for name, table in page.study.words.items()}
    for name, table in {**page.study.tables, **words, **own}.items():
        (folder / f"{name}.csv").write_text(csv_text(table), "utf-8")
