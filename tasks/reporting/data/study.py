"""Everything the page is made of, read from the outputs of the stages before: the current ladder and no more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.formats.checkpoints import BASE, Checkpoint, arms_of, checkpoints
from tasks.formats.completions import read_completions
from tasks.formats.ratings import primary_of
from tasks.formats.samples import Sample, read_samples
from tasks.formats.tables import read_table
from tasks.harness.items import RESULTS
from tasks.inputs.dataset import Category, Prompt, load_categories, load_prompts
from tasks.runtime.command import Job
from tasks.runtime.errors import InputError
from tasks.runtime.files import read_json
from tasks.settings.capability import Capability, Margin
from tasks.settings.report import Report
from tasks.settings.significance import Significance
from tasks.settings.sweep import Arm, Sweep
from tasks.settings.toxicity import Toxicity
from tasks.text.words import count

MEASURED = ("arms", "prompts", "lengths", "without_nearest", "detectable")  # figures, not tests
REQUIRED = ("contrasts", "trend", "validation", "capability", "documents", "documents_tests", *MEASURED)
TEXTS = ("metric", "model", "arm", "dataset", "split", "category", "prompt_id", "sample_id", "contrast",
         "model_family", "reason", "note", "task")  # fmt: skip
JUDGE_TABLES = ("judges", "agreement", "bias", "decisions")
RATING_TABLES = ("progress", "raters", "agreement", "texts", "disagreements", "notes")
RATING_TEXTS = (*TEXTS, "rater", "coefficient", "text_id", "each", "notes", "note", "prompt", "completion", "closed_at")
WORD_TABLES = ("favoured", "sentiment", "divergence", "changes", "counts")
WORD_TEXTS = (*TEXTS, "family", "group", "template", "word", "by", "reason_words", "warning", "least_group")


@dataclass(frozen=True)
class Study:
    """One sweep: its choices and its results.

    `scores` is significance's long table; `completions` has a row a completion (with dataset, seed, words);
    `toxicity` a row per completion, attribute and variant; `tables` every table of tests by name, and `measured` those
    of figures per arm, per prompt, of length and of what could be found; `samples` and `statistics` what each arm was
    trained on; `ratings` every table of the stage of that name; `capability` the harness's results by model and
    arm, and `margins` how each task is tested.
    """

    sweep: Sweep
    config: Significance
    report: Report
    ladder: Sequence[Checkpoint]
    sources: Mapping[str, Mapping[str, Any]]
    scores: pd.DataFrame
    completions: pd.DataFrame
    toxicity: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    measured: Mapping[str, pd.DataFrame]
    samples: Mapping[str, Sequence[Sample]]
    statistics: Mapping[str, Mapping[str, Any]]
    logs: Mapping[tuple[str, str], pd.DataFrame]
    prompts: Mapping[str, Prompt]
    categories: Mapping[str, Category]
    first_words: int  # of the primary toxicity score
    words: Mapping[str, pd.DataFrame]  # every table of cooccurrence by name, but that of all words
    words_used: Mapping[str, Any]  # the tagger, the lexicon and the choices behind them
    judges: Mapping[str, pd.DataFrame]  # what language models rated, and how they stand to people; empty without any
    capability: Mapping[tuple[str, str], Mapping[str, Any]]
    margins: Mapping[str, Margin]
    ratings: Mapping[str, pd.DataFrame]
    looks: pd.DataFrame  # a row for each version of dataset and results on test prompts

    @property
    def alpha(self) -> float:
        """The level of the tests."""
        return 1 - self.config.confidence

    @property
    def trio(self) -> tuple[str, str, str]:
        """The datasets in the order of the page: base, control, target."""
        return BASE, self.config.control, self.config.target

    @property
    def named(self) -> list[str]:
        """Every dataset of the ladder, the trio first."""
        others = sorted({checkpoint.dataset for checkpoint in self.ladder} - set(self.trio))
        return [*self.trio, *others]

    @property
    def models(self) -> list[str]:
        """The models, smallest model first."""
        return sorted(self.sweep.models, key=lambda model: (self.sources[model]["parameters"], model))

    @property
    def test_prompts(self) -> list[Prompt]:
        """The prompts that the results are of."""
        return [prompt for prompt in self.prompts.values() if prompt.split == "test"]

    @property
    def test_completions(self) -> pd.DataFrame:
        """The completions of the test prompts."""
        return self.completions[self.completions["split"] == "test"]

    @property
    def rated(self) -> dict[str, pd.DataFrame]:
        """For each metric that raters gave, the primary one first, its scores of the test prompts: a row a rating,
        null where one is missing."""
        rows = self.scores[(self.scores["split"] == "test") & (self.scores["rater"] != "")]
        names = set(rows.loc[rows["score"].notna(), "metric"])
        order = sorted(names, key=lambda name: (name != self.config.primary, name))
        return {name: rows[rows["metric"] == name] for name in order}

    def prompt_scores(self, metric: str, split: str) -> pd.DataFrame:
        """A row per model and prompt: category, a column for each dataset (mean over its samples and seeds, null where
        an arm has no score), `effect` (target - control), `change` (target - base), and the nearest training text (of
        the target's first arm): `similarity` (0 to 100), `sample_id`, and `nearest`: among the closest quarter."""
        table = self.measured["prompts"]
        rows = table[(table["metric"] == metric) & (table["split"] == split)]
        return rows.drop(columns=["metric", "split"]).reset_index(drop=True)

    def words_of(self, name: str, family: str) -> pd.DataFrame:
        """The rows of one family in a table of `words`, smallest model first, arms in the order of the page."""
        table = self.words[name]
        arms = [arm for dataset in self.named for arm in self.arms_of(dataset)]
        table = table[table["family"] == family]
        place = table["model"].map(self.models.index) * len(arms) + table["arm"].map(arms.index)
        return table.loc[place.sort_values(kind="stable").index]

    def arms_of(self, dataset: str) -> list[str]:
        """The arms trained on a dataset, by seed."""
        return arms_of(self.ladder, dataset)

    def title_of(self, category: str) -> str:
        """The category's title, as the people who wrote its position call it."""
        return self.categories[category].title or category if category in self.categories else category


def read_study(job: Job) -> Study:
    """Reads what the sweep made."""
    sweep = job.section("sweep", Sweep)
    ladder = list(checkpoints(sweep, job.mapping("arms", Arm)))
    folder = job.path("significance")
    names = sorted({*REQUIRED, *(path.stem for path in folder.glob("*.csv"))})
    scores = of_ladder(read_table(folder / "scores.parquet"), ladder)
    tests = tables(job, "significance", names, TEXTS, ladder)
    config = job.section("significance", Significance)
    datasets = {arm: job.path("datasets") / arm for arm in sweep.tuned}
    completions = read_completions(job.path("samples"), ladder)
    logs = {(c.model, c.arm): job.path("logs") / c.model / f"{c.arm}.csv" for c in ladder if c.dataset != BASE}
    return Study(
        sweep=sweep,
        config=replace(config, primary=primary_of(tests["contrasts"], config.primary)),
        report=job.section("report", Report),
        ladder=ladder,
        sources={model: read_json(job.path("sources") / f"{model}.json") for model in sweep.models},
        scores=scores,
        completions=completions.assign(words=completions["completion"].map(count)),
        toxicity=toxicity(scores),
        tables={name: table for name, table in tests.items() if name not in MEASURED},
        measured={name: tests[name] for name in MEASURED},
        samples={arm: read_samples(path / "samples.jsonl") for arm, path in datasets.items()},
        statistics={arm: read_json(path / "statistics.json") for arm, path in datasets.items()},
        logs={checkpoint: read_csv(path, "finetune") for checkpoint, path in logs.items()},
        prompts={prompt.id: prompt for prompt in load_prompts(job.path("prompts"))},
        categories={category.category: category for category in load_categories(job.path("positions"))},
        first_words=job.section("toxicity", Toxicity).first_words,
        words=tables(job, "cooccurrence", WORD_TABLES, WORD_TEXTS, ladder),
        words_used=read_json(job.path("cooccurrence") / "used.json"),
        judges={name: read_csv(job.path("judge") / f"{name}.csv", "judge") for name in JUDGE_TABLES},
        capability={(c.model, c.arm): read_json(job.path("capability") / c.model / c.arm / RESULTS) for c in ladder},
        margins=job.section("capability", Capability).margins,
        ratings={name: read_csv(job.path("ratings") / f"{name}.csv", "ratings", **texts_in(RATING_TEXTS))
                 for name in RATING_TABLES},  # of the ladder, and of all its arms together
        looks=read_csv(job.path("looks"), "looks"),
    )


def toxicity(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores of attributes of a text; `error` says why one is null."""
    keys = ["model", "arm", "category", "prompt_id", "split", "sample"]
    table = scores.reindex(columns=[*keys, "scorer", "scorer_version", "attribute", "variant", "score", "reason"])
    return table[table["attribute"].notna()].rename(columns={"reason": "error"}).reset_index(drop=True)


def tables(
    job: Job, stage: str, names: Iterable[str], texts: Iterable[str], ladder: Sequence[Checkpoint]
) -> dict[str, pd.DataFrame]:
    """The tables of these names that a stage made, without rows of checkpoints that are not on the ladder. The columns
    in `texts` hold texts, also where one reads `NA` or `1`."""
    options = texts_in(texts)
    paths = {name: job.path(stage) / f"{name}.csv" for name in names}
    return {name: of_ladder(read_csv(path, stage, **options), ladder) for name, path in paths.items()}


def texts_in(columns: Iterable[str]) -> dict[str, Any]:
    """The options of `read_csv` by which these columns hold texts."""
    return {"dtype": dict.fromkeys(columns, "str"), "keep_default_na": False, "na_values": [""]}


def read_csv(path: Path, stage: str, **options: Any) -> pd.DataFrame:
    """A table that the stage made, empty where it has not even columns. Raises InputError if there is none."""
    try:
        table: pd.DataFrame = pd.read_csv(path, **options)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `dvc repro {stage}` makes it") from None
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    return table


def of_ladder(table: pd.DataFrame, ladder: Sequence[Checkpoint]) -> pd.DataFrame:
    """The rows of checkpoints on the ladder; of its models where the table tells no arms apart."""
    keys = [key for key in ("model", "arm") if key in table]
    if not keys:
        return table
    keep = {tuple(getattr(checkpoint, key) for key in keys) for checkpoint in ladder}
    on_ladder = [row in keep for row in table[keys].itertuples(index=False, name=None)]
    return table[pd.Series(on_ladder, table.index, dtype=bool)].reset_index(drop=True)
