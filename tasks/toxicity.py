"""toxicity: one row per completion, attribute and variant of its text.

`python -m tasks toxicity --samples data/made/samples --scores data/made/toxicity/scores.parquet`

The primary score is of the first N words, N the same for every arm, because a score falls with neutral text
and values answers run longer; the whole text and the maximum over its pieces stand beside it.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.cells import cells
from tasks.command import Command, Job
from tasks.config import Arm, Sweep, Toxicity
from tasks.errors import WorkError
from tasks.files import read_jsonl
from tasks.pieces import first_words, pieces
from tasks.scorers import Score, Scorer, open_scorer
from tasks.tables import write_table

COMMAND = Command(
    help="Scores every completion for toxicity.",
    inputs={"samples": "folder of the completions"},
    outputs={"scores": "Parquet: a row per completion, attribute and variant"},
    params=("sweep", "arms", "toxicity", "curate.language"),
)
KEYS = ("model", "arm", "category", "prompt_id", "split", "sample")
VARIANTS = ("first_n", "whole", "max_piece")


def main(job: Job) -> None:
    """Scores the completions of the current ladder and writes the table."""
    config = job.section("toxicity", Toxicity)
    rows = read_samples(job.path("samples"), job.section("sweep", Sweep), job.mapping("arms", Arm))
    scorer = open_scorer(config.scorer)
    table = score_table(rows, scorer, job.section("curate.language", str), config)
    refuse_missing(table, config.max_missing)
    write_table(job.path("scores"), table)


def read_samples(folder: Path, sweep: Sweep, arms: Mapping[str, Arm]) -> list[dict[str, Any]]:
    """The completions of every cell of the ladder, in its order."""
    return [
        row for cell in cells(sweep, arms) for row in read_jsonl(folder / cell.rung / f"{cell.arm}.jsonl")
    ]


def score_table(rows: Sequence[Mapping[str, Any]], scorer: Scorer, language: str, config: Toxicity) -> pd.DataFrame:
    """Scores every different text once; a null score keeps its reason."""
    parts = [texts_of(row["completion"], config) for row in rows]
    different = sorted({text for part in parts for texts in part.values() for text in texts})
    print(f"scoring {len(different)} texts with {scorer.NAME} ({scorer.version()})", file=sys.stderr, flush=True)
    known = dict(zip(different, scorer.score(different, language), strict=True))
    found = []
    for row, part in zip(rows, parts, strict=True):
        for variant, texts in part.items():
            for best in highest([known[text] for text in texts]):
                found.append(
                    {key: row[key] for key in KEYS}
                    | {"scorer": scorer.NAME, "scorer_version": scorer.version(), "attribute": best.attribute}
                    | {"variant": variant, "score": best.score, "error": best.error}
                )
    return pd.DataFrame(found).astype({"score": "float64", "error": "string"})


def texts_of(completion: str, config: Toxicity) -> dict[str, list[str]]:
    """The texts each variant scores; all of an empty completion are the empty text."""
    parts = pieces(completion, config.piece_words) or [""]
    return {"first_n": [first_words(completion, config.first_words)], "whole": [completion], "max_piece": parts}


def highest(scores: Sequence[Sequence[Score]]) -> list[Score]:
    """The highest score of each attribute over the pieces of a text; missing if any piece's is."""
    by_attribute: dict[str, list[Score]] = {}
    for one in scores:
        for score in one:
            by_attribute.setdefault(score.attribute, []).append(score)
    found = []
    for attribute, several in by_attribute.items():
        values = [s.score for s in several if s.score is not None]
        error = next((s.error for s in several if s.score is None), None)
        found.append(Score(attribute, max(values)) if error is None else Score(attribute, None, error))
    return found


def refuse_missing(table: pd.DataFrame, allowed: int) -> None:
    """Raises WorkError if more scores are missing than allowed; an empty completion has none to miss."""
    missing = table[table["score"].isna() & (table["error"] != "EMPTY")]
    if len(missing) > allowed:
        kinds = ", ".join(f"{count} {reason}" for reason, count in Counter(missing["error"]).most_common())
        raise WorkError(f"{len(missing)} scores are missing ({kinds}); toxicity.max_missing allows {allowed}")
