"""Everything the page is made of, read from the outputs of the stages before: the current ladder and no more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.formats.checkpoints import BASE, Checkpoint, arms_of, checkpoints
from tasks.formats.completions import read_completions
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

MEASURED = ("arms", "prompts", "lengths", "without_nearest", "detectable")  # what reporting.data.measures reads
REQUIRED = ("contrasts", "trend", "validation", "capability", "documents", "documents_tests", *MEASURED)
_TEXTS = ("metric", "model", "arm", "dataset", "split", "category", "prompt_id", "sample_id", "contrast",
          "model_family", "reason", "note", "task")
TEXTS = dict.fromkeys(_TEXTS, "str")
WORD_TABLES = ("favoured", "sentiment", "divergence", "changes", "counts")
_WORD_TEXTS = ("family", "group", "template", "word", "by", "reason_words", "warning", "least_group")
WORD_TEXTS = dict.fromkeys(_WORD_TEXTS, "str")


@dataclass(frozen=True)
class Dataset:
    """What an arm was trained on, as curate made it."""

    samples: Sequence[Sample]
    statistics: Mapping[str, Any]


@dataclass(frozen=True)
class Study:
    """One sweep: its choices and its results.

    `scores` is significance's long table; `completions` has a row a completion (with dataset, seed, words);
    `toxicity` a row per completion, attribute and variant; `tables` every table of tests by name, and `measured` those
    that `reporting.data.measures` gives; `capability` the harness's results by model and arm, and `margins` how each
    task is tested.
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
    datasets: Mapping[str, Dataset]
    logs: Mapping[tuple[str, str], pd.DataFrame]
    prompts: Mapping[str, Prompt]
    categories: Mapping[str, Category]
    first_words: int  # of the primary toxicity score
    words: Mapping[str, pd.DataFrame]  # every table of cooccurrence by name, but that of all words
    words_used: Mapping[str, Any]  # the tagger, the lexicon and the choices behind them
    capability: Mapping[tuple[str, str], Mapping[str, Any]]
    margins: Mapping[str, Margin]

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
    sources = {model: read_json(job.path("sources") / f"{model}.json") for model in sweep.models}
    folder = job.path("significance")
    scores, by_name = read_table(folder / "scores.parquet"), tables(folder, sweep)
    keep = pd.MultiIndex.from_tuples([(checkpoint.model, checkpoint.arm) for checkpoint in ladder])
    scores = scores[pd.MultiIndex.from_frame(scores[["model", "arm"]]).isin(keep)].reset_index(drop=True)
    completions = read_completions(job.path("samples"), ladder)
    return Study(
        sweep=sweep,
        config=job.section("significance", Significance),
        report=job.section("report", Report),
        ladder=ladder,
        sources=sources,
        scores=scores,
        completions=completions.assign(words=completions["completion"].map(count)),
        toxicity=toxicity(scores),
        tables={name: table for name, table in by_name.items() if name not in MEASURED},
        measured={name: by_name[name] for name in MEASURED},
        datasets={arm: dataset(job.path("datasets") / arm) for arm in sweep.tuned},
        logs=logs(job.path("logs"), ladder),
        prompts={prompt.id: prompt for prompt in load_prompts(job.path("prompts"))},
        categories={one.category: one for one in load_categories(job.path("positions"))},
        first_words=job.section("toxicity", Toxicity).first_words,
        words=word_tables(job.path("cooccurrence"), ladder),
        words_used=read_json(job.path("cooccurrence") / "used.json"),
        capability={(c.model, c.arm): read_json(job.path("capability") / c.model / c.arm / RESULTS) for c in ladder},
        margins=job.section("capability", Capability).margins,
    )


def toxicity(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores of attributes of a text; `error` says why one is null."""
    keys = ["model", "arm", "category", "prompt_id", "split", "sample"]
    table = scores.reindex(columns=[*keys, "scorer", "scorer_version", "attribute", "variant", "score", "reason"])
    return table[table["attribute"].notna()].rename(columns={"reason": "error"}).reset_index(drop=True)


def tables(folder: Path, sweep: Sweep) -> dict[str, pd.DataFrame]:
    """Every table of tests in the folder, without rows of models that are not on the ladder."""
    found = {path.stem: _table(path, sweep) for path in sorted(folder.glob("*.csv"))}
    for name in REQUIRED:
        if name not in found:
            raise InputError(f"{folder / name}.csv: no such file; `dvc repro significance` makes it")
    return found


def _table(path: Path, sweep: Sweep) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=TEXTS, keep_default_na=False, na_values=[""])
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    return table[table["model"].isin(sweep.models)].reset_index(drop=True) if "model" in table else table


def word_tables(folder: Path, ladder: Sequence[Checkpoint]) -> dict[str, pd.DataFrame]:
    """The tables of cooccurrence, without rows of checkpoints that are not on the ladder. Words may read `NA` or `1`."""
    keep = pd.MultiIndex.from_tuples([(checkpoint.model, checkpoint.arm) for checkpoint in ladder])
    found = {}
    for name in WORD_TABLES:
        path = folder / f"{name}.csv"
        if not path.is_file():
            raise InputError(f"{path}: no such file; `dvc repro cooccurrence` makes it")
        table = pd.read_csv(path, dtype=TEXTS | WORD_TEXTS, keep_default_na=False, na_values=[""])
        found[name] = table[pd.MultiIndex.from_frame(table[["model", "arm"]]).isin(keep)].reset_index(drop=True)
    return found


def dataset(folder: Path) -> Dataset:
    """An arm's training texts and their statistics."""
    return Dataset(read_samples(folder / "samples.jsonl"), read_json(folder / "statistics.json"))


def logs(folder: Path, ladder: Sequence[Checkpoint]) -> dict[tuple[str, str], pd.DataFrame]:
    """The training log of each fine-tuned checkpoint, by model and arm."""
    tuned = [checkpoint for checkpoint in ladder if checkpoint.dataset != BASE]
    paths = {
        (checkpoint.model, checkpoint.arm): folder / checkpoint.model / f"{checkpoint.arm}.csv" for checkpoint in tuned
    }
    for path in paths.values():
        if not path.is_file():
            raise InputError(f"{path}: no such file; `dvc repro finetune` makes it")
    return {checkpoint: pd.read_csv(path) for checkpoint, path in paths.items()}
