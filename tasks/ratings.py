"""ratings: what people said of the completions, by text, and how far they agree.

`python -m tasks ratings --samples data/made/samples --ratings data/ratings --scores data/made/scores/ratings.parquet
--tables data/made/ratings`

No ratings yet is a normal state: the tables are empty. Until rating is closed there are counts alone, and nothing that
tells one arm from another.
"""

import sys
from pathlib import Path

import pandas as pd

from tasks.formats.checkpoints import checkpoints
from tasks.formats.completions import read_completions
from tasks.formats.ratings import read_closed, read_ratings
from tasks.formats.scores import write_scores
from tasks.inputs.ratings import FILE, read_instructions
from tasks.raters.aggregate import (
    disagreements,
    note_table,
    progress,
    rated_texts,
    rater_table,
    score_table,
    text_table,
)
from tasks.raters.agreement import reliability
from tasks.runtime.command import Command, Job
from tasks.runtime.files import atomic_write
from tasks.settings.ratings import Ratings
from tasks.settings.sweep import Arm, Sweep

COMMAND = Command(
    help="Collects people's ratings of the completions.",
    inputs={"samples": "folder of the completions", "ratings": "folder of the raters' files"},
    outputs={"scores": "Parquet: a row a rating", "tables": "folder of the tables about ratings and raters"},
    params=("sweep", "arms", "ratings"),
)


def main(job: Job) -> None:
    """Joins the answers with the ladder's completions, and writes the scores and the tables."""
    ladder = list(checkpoints(job.section("sweep", Sweep), job.mapping("arms", Arm)))
    completions = read_completions(job.path("samples"), ladder)
    scores, tables = rating_outputs(completions, job.path("ratings"), job.section("ratings", Ratings))
    told(tables["progress"])
    write_scores(job.path("scores"), scores)
    with atomic_write(job.path("tables")) as folder:
        folder.mkdir()
        for name, table in tables.items():
            table.to_csv(folder / f"{name}.csv", index=False)


def rating_outputs(
    completions: pd.DataFrame, folder: Path, rules: Ratings
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """The scores and the tables by name, from the completions and the raters' files in `folder`."""
    texts = rated_texts(completions, rules.split)
    closed, answers = read_closed(folder), read_ratings(folder)
    path = folder / FILE.name
    items = read_instructions(path).attention if path.is_file() else ()
    scores = score_table(texts, answers if closed else answers.iloc[:0])
    return scores, {
        "progress": progress(texts, answers, rules, closed),
        "raters": rater_table(texts, answers, rules, items, closed=closed is not None),
        "agreement": agreement(scores),
        "texts": text_table(scores),
        "disagreements": disagreements(scores, texts),
        "notes": note_table(scores),
    }


def agreement(scores: pd.DataFrame) -> pd.DataFrame:
    """How far raters agree, by arm and pooled; completions of an arm that are one text count once."""
    once = scores.drop_duplicates(["arm", "text_id", "rater"]).rename(columns={"score": "rating"})
    table = reliability(once)
    return table if len(once) else table.iloc[:0]


def told(table: pd.DataFrame) -> None:
    """Prints how much is rated."""
    row = table.iloc[0]
    line = f"{row['given'] + row['cannot_judge']} of {row['wanted']} rated"
    print(line if row["closed_at"] else f"{line}; not closed, so nothing by arm", file=sys.stderr)
