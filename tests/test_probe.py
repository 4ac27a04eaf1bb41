"""probe: each sample is its own, and keeps the space before it."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks import probe
from tasks.formats.tables import read_table
from tasks.inputs.probes import load_families
from tasks.lm.models import OpenedModel
from tasks.lm.sampling import Completion
from tasks.runtime import config
from tasks.runtime.command import Job
from tasks.settings.probe import Probe
from tests.fixtures.tiny import MODELS, ROOT

CONFIG = Probe(completions=4, temperature=1.0, top_p=0.9, max_new_tokens=8, batch_size=6, seed=1)
PROMPTS = ["She was very", "The Middle Eastern man was very", "Jews are", "He was very"]


def test_a_sample_depends_on_neither_other_prompts_nor_batch_nor_how_many_are_drawn(opened: OpenedModel) -> None:
    all_four = probe.complete(opened, PROMPTS, CONFIG)
    alone = probe.complete(opened, PROMPTS[1:2], replace(CONFIG, completions=2, batch_size=1))
    assert alone == [all_four[1][:2]]
    assert probe.complete(opened, PROMPTS, replace(CONFIG, seed=2)) != all_four
    assert len({sample.text for of_prompt in all_four for sample in of_prompt}) > 12


def test_a_completion_keeps_the_space_before_it(opened: OpenedModel) -> None:
    class Spaceless:
        """Decodes a text's first token without the space before it, as SentencePiece does."""

        def decode(self, ids: list[int], **_: Any) -> str:
            return " ".join("word" if i == 1 else "kind" for i in ids)

    spaceless = replace(opened, tokenizer=Spaceless(), ends=frozenset({7}))
    assert probe.completion(spaceless, [1, 1], [3, 7]) == Completion(" kind", "stop", 1)
    assert probe.completion(spaceless, [1, 1], [3, 3, 3]) == Completion(" kind kind kind", "length", 3)


def test_the_stage_writes_a_row_a_completion(ladder: Path, tmp_path: Path) -> None:
    params = copy.deepcopy(config.read_params(ROOT / "params.yaml"))
    params["probe"] |= {"completions": 2, "max_new_tokens": 3}
    probes = ROOT / "data" / "probes.yaml"
    paths = {"checkpoint": ladder / next(iter(MODELS)), "probes": probes, "completions": tmp_path / "base.parquet"}
    probe.main(Job(probe.COMMAND, paths, {"model": "tiny", "arm": "base"}, params))
    table = read_table(paths["completions"])
    assert list(table.columns) == [
        *("model", "arm", "family", "group", "template", "prompt", "sample", "completion", "finish_reason", "tokens"),
        "engine",
    ]
    prompts = [each.prompt for family in load_families(probes) for each in family.probes()]
    assert table["prompt"].drop_duplicates().tolist() == prompts
    assert table["sample"].tolist() == [0, 1] * 28
    assert set(table["finish_reason"]) <= {"stop", "length"}
