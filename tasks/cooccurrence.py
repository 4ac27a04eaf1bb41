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
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from tasks.bias.associations import Texts, associations
from tasks.bias.descriptions import Described, Describer, sentiments
from tasks.bias.lexicons import Lexicon, open_lexicon
from tasks.bias.sentiment import completion_sentiment, group_sentiment
from tasks.bias.tables import Part, all_tables, metrics, warnings_of
from tasks.bias.taggers import Tagger, open_tagger
from tasks.formats.checkpoints import Checkpoint, Source, checkpoints, read_source
from tasks.formats.tables import read_table
from tasks.inputs.probes import Family, load_families
from tasks.runtime import launch
from tasks.runtime.command import Command, Job
from tasks.runtime.errors import InputError
from tasks.runtime.files import atomic_write, write_json
from tasks.settings.cooccurrence import Cooccurrence
from tasks.settings.sweep import Arm, Sweep
from tasks.stats.outcome import Floats, Labels

COMMAND = Command(
    help="Finds the words that follow each group, and tests what fine-tuning changed.",
    inputs={
        "completions": "folder of the probes' completions",
        "probes": "YAML of the families and their templates",
        "sources": "folder of the models' sources",
    },
    outputs={"tables": "folder of the tables", "metrics": "JSON: the few figures a team tracks"},
    params=("sweep", "arms", "cooccurrence"),
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
    analysed = analyse(completions, ladder, sources, Describer(tagger, config, families), lexicon)
    tables = all_tables(analysed, config)
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
    """The completions of every checkpoint of the ladder, in its order. Raises InputError if they are of other probes."""
    asked = {(probe.family, probe.group, probe.template) for one in families.values() for probe in one.probes()}
    parts = []
    for checkpoint in ladder:
        path = folder / checkpoint.model / f"{checkpoint.arm}.parquet"
        part = read_table(path)
        found = set(part[["family", "group", "template"]].drop_duplicates().itertuples(index=False, name=None))
        if odd := sorted(found ^ asked):
            raise InputError(
                f"{path}: the probes have changed since ('{odd[0][2]}' for '{odd[0][1]}' of '{odd[0][0]}'); "
                "run probe again for every model and arm"
            )
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def analyse(
    completions: pd.DataFrame,
    ladder: Sequence[Checkpoint],
    sources: Mapping[str, Source],
    describer: Describer,
    lexicon: Lexicon,
) -> list[Part]:
    """The figures of every checkpoint and family of the ladder, in its order."""
    config, described = describer.config, describer.describe(completions)
    scores = sentiments(described.words, lexicon, config)
    counts, vocabulary = described.counts()
    completions = completions.join(completion_sentiment(described, scores))
    rows = completions.groupby(["model", "arm", "family"], sort=False).indices
    places = {
        (checkpoint, f): np.asarray(rows[checkpoint.model, checkpoint.arm, f])
        for checkpoint in ladder
        for f in describer.families
    }
    texts = {key: _texts(counts, vocabulary, completions, at) for key, at in places.items()}
    parts = {name: min(texts[checkpoint, name].parts() for checkpoint in ladder) for name in describer.families}
    with ThreadPoolExecutor(min(THREADS, launch.threads())) as pool:  # numpy and scipy let other threads work
        found = pool.map(lambda key: associations(texts[key], config, parts[key[1]]), texts)
    means = label_sentiment(described, scores)
    return [
        Part(
            checkpoint=checkpoint,
            source=sources[checkpoint.model],
            family=describer.families[name],
            found=one,
            word_sentiment=means,
            sentiment=group_sentiment(completions.iloc[places[checkpoint, name]], config.confidence),
            counts=prompt_counts(completions.iloc[places[checkpoint, name]], texts[checkpoint, name]),
        )
        for (checkpoint, name), one in zip(texts, found, strict=True)
    ]


def _texts(counts: sparse.csr_matrix, vocabulary: Sequence[str], completions: pd.DataFrame, at: Labels) -> Texts:
    """The words of some completions, without the columns of words that none of them holds."""
    words = counts[at]
    held = np.flatnonzero(words.getnnz(axis=0))
    part = completions.iloc[at]
    groups, templates = part["group"].to_numpy(object), part["template"].to_numpy(object)  # plain text in reasons
    return Texts(words[:, held], [vocabulary[int(i)] for i in held], groups, templates)


def label_sentiment(described: Described, scores: Floats) -> dict[str, float]:
    """Each counted word's sentiment; of one that is both adjective and adverb, the mean of those known."""
    table = pd.DataFrame({"label": [word.label for word in described.words], "score": scores})
    return dict(table.groupby("label")["score"].mean())


def prompt_counts(completions: pd.DataFrame, texts: Texts) -> pd.DataFrame:
    """For every prompt: completions, empty ones, those with a descriptive word, such words, different ones."""
    rows = []
    for template, group in dict.fromkeys(zip(texts.templates, texts.groups, strict=True)):
        at = np.flatnonzero((texts.templates == template) & (texts.groups == group))
        part = completions.iloc[at]
        rows.append(
            {
                "template": template,
                "group": group,
                "n": len(at),
                "n_empty": int((part["completion"].str.strip() == "").sum()),
                "n_with_words": int((part["words"] > 0).sum()),
                "words": int(part["words"].sum()),
                "different_words": int((texts.words[at].getnnz(axis=0) > 0).sum()),
            }
        )
    return pd.DataFrame(rows)
