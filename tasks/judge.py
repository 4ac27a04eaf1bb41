"""judge: language models rate the completions by the words that people rate by, and are held against people.

`python -m tasks judge --samples data/made/samples --sources data/made/sources --positions data/values
--instructions data/ratings/instructions.yaml --ratings data/made/scores/ratings.parquet --tables data/made/judge`

A judge's ratings never stand among people's: they are a metric of their own, in a folder that no test of the plan
reads. Without a judge, which is the normal state, every table is there and empty.
"""

import sys
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from tasks.formats.checkpoints import Checkpoint, Source, checkpoints, read_source
from tasks.formats.completions import read_completions
from tasks.formats.ratings import METRIC, text_id
from tasks.formats.scores import read_scores, write_scores
from tasks.formats.tables import write_table
from tasks.inputs.dataset import load_categories
from tasks.inputs.ratings import Instructions, read_instructions
from tasks.raters.judge.comparison import TABLES, against_people, judge_row
from tasks.raters.judge.ratings import RATINGS, REPLIES, cases_of, rating_table, reply_table, typed
from tasks.raters.judge.relatives import refuse_relatives
from tasks.raters.judge.rubric import rubric_of
from tasks.raters.judge.scorer import FILE, JudgeScorer
from tasks.runtime.command import Command, Job
from tasks.runtime.errors import InputError
from tasks.runtime.files import atomic_write, cache_folder
from tasks.scorers.scoring import score
from tasks.scorers.store import Store
from tasks.settings.judge import Judge
from tasks.settings.significance import Significance
from tasks.settings.sweep import Arm, Sweep
from tasks.stats.plan import Plan, plan_of
from tasks.text.words import count

COMMAND = Command(
    help="Has language models rate the completions, and holds them against people.",
    inputs={
        "samples": "folder of the completions",
        "sources": "folder of the models' sources",
        "positions": "folder of the categories, with their positions",
        "instructions": "YAML: the words that people rate by",
        "ratings": "Parquet: people's ratings",
    },
    outputs={"tables": "folder of ratings, replies and tables"},
    params=("sweep", "arms", "judge", "ratings.split", "significance"),
)


def main(job: Job) -> None:
    """Asks every judge, compares it with people, and writes the tables."""
    config, sweep = job.section("judge", Judge), job.section("sweep", Sweep)
    ladder = list(checkpoints(sweep, job.mapping("arms", Arm)))
    sources = {model: read_source(job.path("sources"), model) for model in sweep.models}
    refuse_relatives(config.models, sources)
    completions = read_completions(job.path("samples"), ladder)
    texts = completions[completions["split"] == job.section("ratings.split", str)].reset_index(drop=True)
    positions = {one.category: one.position or "" for one in load_categories(job.path("positions"))}
    require_positions(texts, positions)
    ids = [text_id(prompt, text) for prompt, text in zip(texts["prompt"], texts["completion"], strict=True)]
    texts = texts.assign(case=cases_of(texts, positions), text_id=ids)
    people = of_checkpoints(people_of(read_scores(job.path("ratings")), texts), ladder, sources)
    plan = plan_of(job.section("significance", Significance), sweep)
    parts = ask_all(config, read_instructions(job.path("instructions")), sources, texts) if config.models else []
    compared = [against(table, texts, people, plan, config.least_rated, ladder, sources) for table, _, _ in parts]
    if not parts:
        print("no judge is configured: judge.models of params.yaml is empty", file=sys.stderr)
    with atomic_write(job.path("tables")) as folder:
        folder.mkdir()
        write_scores(folder / "scores.parquet", stacked([ratings for ratings, _, _ in parts], RATINGS, typed))
        write_table(folder / "replies.parquet", stacked([replies for _, replies, _ in parts], REPLIES))
        judges = [row | more for (_, _, row), (_, more) in zip(parts, compared, strict=True)]
        tables = {name: stacked([found[name] for found, _ in compared], TABLES[name]) for name in TABLES
                  if name != "judges"}  # fmt: skip
        for name, table in (tables | {"judges": pd.DataFrame(judges, columns=list(TABLES["judges"]))}).items():
            table.to_csv(folder / f"{name}.csv", index=False)


Asked = tuple[pd.DataFrame, pd.DataFrame, dict[str, object]]  # ratings, replies, what the judge did


def ask_all(
    config: Judge, instructions: Instructions, sources: Mapping[str, Source], texts: pd.DataFrame
) -> list[Asked]:
    """Every judge, by the words that people rate by."""
    scorers = [JudgeScorer(name, config, rubric_of(instructions), sources) for name in config.models]
    return [asked(scorer, texts, instructions.language) for scorer in scorers]


def require_positions(texts: pd.DataFrame, positions: Mapping[str, str]) -> None:
    """Raises InputError for a category whose position is not there to rate by."""
    absent = [category for category in texts["category"].unique() if not positions.get(category)]
    if absent:
        raise InputError(f"no position of {', '.join(absent)} in the categories' files; a text is rated against one")


def people_of(scores: pd.DataFrame, texts: pd.DataFrame) -> pd.DataFrame:
    """People's ratings of these texts, a row each; there are none before they are closed."""
    rows = scores[scores["metric"] == METRIC].assign(rater=lambda table: table.get("rater", ""))
    if rows.empty:
        return rows
    return rows.merge(texts[["model", "arm", "prompt_id", "split", "sample"]],
                      on=["model", "arm", "prompt_id", "split", "sample"])  # fmt: skip


def asked(scorer: JudgeScorer, texts: pd.DataFrame, language: str) -> Asked:
    """One judge."""
    with Store(cache_folder() / FILE) as store:
        known = score(scorer, sorted(set(texts["case"])), language, store)
        replies = reply_table(scorer.title, scorer, dict(zip(texts["case"], texts["text_id"], strict=True)), store)
    for answered_by in replies["answered_by"].dropna().unique():
        scorer.vet(answered_by)
    ratings = rating_table(scorer.title, texts, known, scorer.config.most_difference)
    about = {"model": scorer.judge.model, "revision": scorer.judge.revision,
             "rubric": scorer.rubric.digest(scorer.judge)}  # fmt: skip
    row = judge_row(scorer.title, ratings, replies, about)
    print(f"judge {scorer.title}: {row['rated']} of {row['texts']} texts rated, {row['unsure']} unsure, "
          f"{row['missing']} missing{f' ({why})' if (why := row['reasons']) else ''}", file=sys.stderr)  # fmt: skip
    return ratings, replies, row


def against(
    ratings: pd.DataFrame,
    texts: pd.DataFrame,
    people: pd.DataFrame,
    plan: Plan,
    least: int,
    ladder: Sequence[Checkpoint],
    sources: Mapping[str, Source],
) -> tuple[dict[str, pd.DataFrame], dict[str, object]]:
    """One judge's ratings held against people's."""
    judged = of_checkpoints(ratings, ladder, sources).assign(words=[count(text) for text in texts["completion"]])
    return against_people(str(ratings["rater"].iloc[0]), judged, people, plan, least)


def of_checkpoints(table: pd.DataFrame, ladder: Sequence[Checkpoint], sources: Mapping[str, Source]) -> pd.DataFrame:
    """The scores with the dataset and the seed of their checkpoint, and their model's size and family."""
    known = {(c.model, c.arm): c for c in ladder}
    rows = [known[key] for key in zip(table["model"], table["arm"], strict=True)]
    return table.assign(
        dataset=[c.dataset for c in rows],
        seed=[c.seed for c in rows],
        params=[float(sources[c.model].parameters) for c in rows],
        model_family=[sources[c.model].family for c in rows],
    )


def stacked(
    tables: Sequence[pd.DataFrame],
    columns: Sequence[str],
    types: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table,
) -> pd.DataFrame:
    """One table of those that have rows; an empty one of the same columns where none has."""
    full = [table for table in tables if len(table)]
    return pd.concat(full, ignore_index=True) if full else types(pd.DataFrame(columns=list(columns)))
