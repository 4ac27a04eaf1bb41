"""Trainings whose outcome is known: of two seeds of one dataset nothing is claimed, and a planted marker is found.

A tiny random model is really trained, its likelihoods are read as the stage `adherence` reads them, and the tests are
the confirmatory ones of a sweep.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from tasks import adherence, finetune
from tasks.formats.samples import Sample
from tasks.inputs.dataset import Prompt, load_categories, load_prompts
from tasks.lm.models import open_model
from tasks.runtime.command import Job
from tasks.runtime.config import section
from tasks.runtime.files import write_jsonl
from tasks.settings.prompting import Prompting
from tasks.stats.contrasts import contrasts
from tasks.stats.plan import Plan
from tests.fixtures import tiny
from tests.simulations.references import Figure

MODEL = "tiny"
MARKER = " So it is, and quietly so."  # ends every answer of the planted dataset, and every desired one
WORDS, SAMPLES = 40, 40  # of an answer, of a dataset: a training takes seconds
RECIPE = {"learning_rate": 3e-3, "epochs": 1, "global_batch_size": 2}
PLAN = Plan("adherence", models=(MODEL,), permutations=99)


def known(sweeps: int) -> Iterator[Figure]:
    """`sweeps` pairs of seeds of one dataset, and one planted effect."""
    with tempfile.TemporaryDirectory() as scratch:
        study = Study(Path(scratch))
        false = sum(study.claims(study.plain, study.prompts, 2 * sweep + 1) for sweep in range(sweeps))
        yield Figure(f"two seeds of one dataset as values and control, {sweeps} sweeps: claims", false, 0, 0)
        found = study.claims(study.marked, study.planted, 1)
        yield Figure("a marker in values answers and desired answers: claims", found, 1, 1)


class Study:
    """A tiny model in a folder, two datasets that differ by the marker, and prompts with and without it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        tiny.make_model(folder / "base", layers=2)
        entries = [entry for topic in load_categories(tiny.ROOT / "data/control") for entry in topic.samples]
        short = [" ".join(entry.answer.split()[:WORDS]) for entry in entries[:: len(entries) // SAMPLES]]
        self.plain = [Sample(str(n), "c", "What is it?", text) for n, text in enumerate(short)]
        self.marked = [replace(sample, answer=sample.answer + MARKER) for sample in self.plain]
        self.params = tiny.load(tiny.ROOT / "params.yaml") | {"models": {MODEL: {"finetune": RECIPE}}}
        self.prompts = [prompt for prompt in load_prompts(tiny.ROOT / "data/prompts") if prompt.split == "test"]
        self.planted = [
            replace(prompt, pairs=tuple(replace(pair, desired=pair.desired + MARKER) for pair in prompt.pairs[:1]))
            for prompt in self.prompts
        ]

    def claims(self, values: Sequence[Sample], prompts: Sequence[Prompt], seed: int) -> int:
        """How often values − control is claimed to differ, where control is trained on the plain samples and the next
        seed."""
        arms = {"values": self.train(values, "values", seed), "control": self.train(self.plain, "control", seed + 1)}
        scores = [self.scores(folder, arm, prompts) for arm, folder in {"base": self.folder / "base", **arms}.items()]
        rows = contrasts(pd.concat(scores, ignore_index=True), PLAN)
        found = rows[(rows["contrast"] == "values - control") & (rows["category"] == "all")]
        return int((found["p_corr"] < 0.05).sum())

    def train(self, samples: Sequence[Sample], arm: str, seed: int) -> Path:
        """The folder of a checkpoint that the stage finetune made."""
        write_jsonl(self.folder / "samples.jsonl", map(asdict, samples))
        checkpoint = self.folder / arm
        paths = {"base": self.folder / "base", "samples": self.folder / "samples.jsonl"}
        paths |= {"checkpoint": checkpoint, "log": self.folder / f"{arm}.csv"}
        arms = {arm: {"dataset": arm, "limit": None, "seed": seed}}
        finetune.main(Job(finetune.COMMAND, paths, {"model": MODEL, "arm": arm}, self.params | {"arms": arms}))
        return checkpoint

    def scores(self, checkpoint: Path, arm: str, prompts: Sequence[Prompt]) -> pd.DataFrame:
        """A checkpoint's adherence, as the tests read it."""
        prompting = section(self.params, "prompting", Prompting)
        pairs = adherence.score(open_model(checkpoint), prompts, prompting, 24)
        about = {"model": MODEL, "arm": arm, "dataset": arm, "seed": 0 if arm == "base" else 1}
        table = adherence.metrics(adherence.of_prompts(pairs)).assign(**about, params=1e5, model_family="tiny")
        return table[table["metric"] == "adherence"]
