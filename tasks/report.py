"""report: one self-contained page with the answers, the figures and the limits of a sweep.

`python -m tasks report --samples data/made/samples --significance data/made/significance --judge data/made/judge
--cooccurrence data/made/cooccurrence --capability data/made/capability --datasets data/made/datasets
--sources data/made/sources --logs data/made/logs --ratings data/made/ratings --looks data/looks.csv
--prompts data/prompts --positions data/values --report data/made/report --plots data/made/plots`
"""

from collections.abc import Mapping
from pathlib import Path

from tasks.reporting.data.study import read_study
from tasks.reporting.page.plots import plots
from tasks.reporting.page.render import TABLES, render
from tasks.reporting.page.section import Results
from tasks.reporting.page.sections import sections
from tasks.reporting.tables.tables import csv_text
from tasks.runtime.command import Command, Job
from tasks.runtime.files import atomic_write

COMMAND = Command(
    help="Writes the report of a sweep.",
    inputs={
        "samples": "folder of the completions",
        "significance": "folder of the test tables",
        "judge": "folder of the tables about judges",
        "cooccurrence": "folder of the tables of words that follow each group",
        "capability": "folder of the capability tasks' results",
        "datasets": "folder of the curated datasets",
        "sources": "folder of the models' sources",
        "logs": "folder of the training logs",
        "ratings": "folder of the tables about ratings",
        "looks": "CSV: the results on test prompts that were made",
        "prompts": "folder of the evaluation prompts",
        "positions": "folder of the values dataset, with the categories' titles",
    },
    outputs={"report": "folder of the page, its figures and tables", "plots": "folder of CSV files for `dvc plots`"},
    params=(
        "sweep",
        "arms",
        "models",
        "prompting",
        "curate",
        "finetune",
        "generate",
        "adherence",
        "capability",
        "toxicity",
        "probe",
        "cooccurrence",
        "ratings",
        "significance",
        "report",
    ),
)


def main(job: Job) -> None:
    """Reads the ladder's results, writes the page with its figures and tables, and the plots' data."""
    results = Results(job, read_study(job))
    page = sections(results)
    html, left_out = render(results, page)
    with atomic_write(job.path("report")) as folder:
        folder.mkdir()
        (folder / "index.html").write_text(html, "utf-8")
        (folder / "findings.txt").write_text("".join(f"{line}\n" for line in results.found.lines), "utf-8")
        (folder / "figures").mkdir()
        for figure in (figure for section in page for figure in section.figures):
            (folder / "figures" / f"{figure.name}.svg").write_text(figure.svg_file, "utf-8")
            (folder / "figures" / f"{figure.name}.png").write_bytes(figure.png_file)
        save_tables(folder / TABLES, results, left_out)
    with atomic_write(job.path("plots")) as folder:
        folder.mkdir()
        for name, table in plots(results).items():
            (folder / f"{name}.csv").write_text(csv_text(table), "utf-8")


def save_tables(folder: Path, results: Results, left_out: Mapping[str, str]) -> None:
    """The tables of tests as they came, what this stage measured, and what the page left out, unrounded."""
    folder.mkdir()
    of_prompts = results.prompts.drop(columns=["similarity", "sample_id", "nearest"])
    measured = {"arms": results.arms, "prompts": of_prompts}
    words = {f"words-{name}": table for name, table in results.study.words.items()}
    ratings = {f"ratings-{name}": table for name, table in results.study.ratings.items() if len(table)}
    every = {**results.study.tables, **words, **ratings, **measured}
    tables = {name: csv_text(table) for name, table in every.items()}
    for name, text in {**left_out, **tables}.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
