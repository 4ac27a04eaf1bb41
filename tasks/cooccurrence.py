"""cooccurrence: which words follow which group, how kindly, and what fine-tuning changed in that.

`python -m tasks cooccurrence --completions data/made/probes --probes data/probes.yaml --sources data/made/sources
--tables data/made/cooccurrence --metrics data/cooccurrence.json`

Brown et al. (2020), section 6.2, with log-odds, permutation tests and intervals, which it lacked. The tables:
words.parquet (each word of each group), favoured.csv (the leading ones), sentiment.csv, divergence.csv,
changes.csv, counts.csv, and used.json (tagger, lexicon, their versions, every choice, warnings).
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.bias.associations import Associations, Texts, associations
from tasks.bias.backends import Lexicon, Tagger, open_lexicon, open_tagger
from tasks.bias.descriptions import Describer, sentiments
from tasks.bias.sentiment import completion_sentiment, label_sentiment
from tasks.bias.tables import all_tables, metrics, warnings_of
from tasks.formats.checkpoints import Checkpoint, Source, checkpoints, read_source
from tasks.formats.engines import require_one_engine
from tasks.formats.tables import read_table
from tasks.inputs.probes import Family, load_families
from tasks.runtime import launch
from tasks.runtime.command import Command, Job
from tasks.runtime.errors import InputError
from tasks.runtime.files import atomic_write, write_json
from tasks.settings.cooccurrence import Cooccurrence
from tasks.settings.sweep import Arm, Sweep

COMMAND = Command(
    help="Finds the words that follow each group, and tests what fine-tuning changed.",
    inputs={
        "completions": "folder of the probes' completions",
        "probes": "YAML of the families and their templates",
        "sources": "folder of the models' sources",
    },
    outputs={"tables": "folder of the tables", "metrics": "JSON: the few figures a team tracks"},
    params=("sweep", "arms", "cooccurrence", "significance.target"),
)
THREADS = 2  # a paper-size family takes up to half a gigabyte in each


def main(job: Job) -> None:
    """Reads the completions of the current ladder, finds their words, and writes the tables and the metrics."""
    config = job.section("cooccurrence", Cooccurrence)
    tagger, lexicon = open_tagger(config.tagger), open_lexicon(config.lexicon)
    used = choices(tagger, lexicon, config)
    families = {family.id: family for family in load_families(job.path("probes"))}
    sweep = job.section("sweep", Sweep)
    ladder = list(checkpoints(sweep, job.mapping("arms", Arm)))
    sources = {model: read_source(job.path("sources"), model) for model in sweep.models}
    completions = read_completions(job.path("completions"), ladder, families)
    analyses = analyse(completions, ladder, sources, Describer(tagger, config, families), lexicon)
    tables = all_tables(analyses, job.section("significance.target", str), config.confidence)
    with atomic_write(job.path("tables")) as folder:
        folder.mkdir()
        tables["words"].to_parquet(folder / "words.parquet", index=False)
        for name in sorted(set(tables) - {"words"}):
            tables[name].to_csv(folder / f"{name}.csv", index=False)
        write_json(folder / "used.json", used | {"warnings": warnings_of(tables["divergence"])})
    write_json(job.path("metrics"), metrics(tables))


def choices(tagger: Tagger, lexicon: Lexicon, config: Cooccurrence) -> dict[str, Any]:
    """What the figures rest on: the tagger and the lexicon with their versions, and every parameter.

    Raises InputError if the tagger's data is missing or it does not know the language.
    """
    versions = {"tagger_version": tagger.version(config.language), "lexicon_version": lexicon.version()}
    return asdict(config) | versions | {"lexicon_knows_language": config.language in lexicon.LANGUAGES}


def read_completions(folder: Path, ladder: Sequence[Checkpoint], families: Mapping[str, Family]) -> pd.DataFrame:
    """The completions of every checkpoint of the sweep, in its order.

    Raises InputError if they are of other probes or of different engines.
    """
    probes = {(probe.family, probe.group, probe.template) for each in families.values() for probe in each.probes()}
    parts = []
    for checkpoint in ladder:
        path = folder / checkpoint.model / f"{checkpoint.arm}.parquet"
        part = read_table(path)
        answered = set(part[["family", "group", "template"]].itertuples(index=False, name=None))
        if changed := sorted(answered ^ probes):
            family, group, template = changed[0]
            raise InputError(
                f"{path}: the probes have changed since ('{template}' for '{group}' of '{family}'); "
                "run probe again for every model and arm"
            )
        parts.append(part)
    return require_one_engine(folder, pd.concat(parts, ignore_index=True))


def analyse(
    completions: pd.DataFrame,
    ladder: Sequence[Checkpoint],
    sources: Mapping[str, Source],
    describer: Describer,
    lexicon: Lexicon,
) -> list[Associations]:
    """The figures of every checkpoint and family, in the order of the ladder and of the probe file."""
    config, descriptions = describer.config, describer.describe(completions)
    scores = sentiments(descriptions.words, lexicon, config)
    counts, vocabulary = descriptions.counts()
    completions = completions.join(completion_sentiment(descriptions, scores))
    rows = completions.groupby(["model", "arm", "family"], sort=False).indices
    texts = []
    for checkpoint, family in product(ladder, describer.families.values()):
        at = rows[checkpoint.model, checkpoint.arm, family.id]
        words = counts[at]
        present = np.flatnonzero(words.getnnz(axis=0))  # words that none of them holds need no columns
        key = key_columns(checkpoint, sources[checkpoint.model], family)
        texts.append(Texts(key, family, completions.iloc[at], words[:, present], [vocabulary[i] for i in present]))
    # a change is of two arms, so the jackknife leaves out the same number of parts in all
    parts = {name: min(each.parts for each in texts if each.family.id == name) for name in describer.families}
    sentiment = label_sentiment(descriptions, scores)
    with ThreadPoolExecutor(min(THREADS, launch.threads())) as pool:  # numpy and scipy let other threads work
        return list(pool.map(lambda each: associations(each, sentiment, config, parts[each.family.id]), texts))


def key_columns(checkpoint: Checkpoint, source: Source, family: Family) -> dict[str, Any]:
    """The columns that every table starts with."""
    model = {"model": checkpoint.model, "params": source.parameters, "model_family": source.family}
    arm = {"arm": checkpoint.arm, "dataset": checkpoint.dataset, "seed": checkpoint.seed}
    return model | arm | {"family": family.id}
