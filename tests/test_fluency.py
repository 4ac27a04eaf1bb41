"""fluency: nats per token are a plain loop's, and of two datasets the one that the model can predict has fewer."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks import fluency
from tasks.formats.fluency import mean_nats, read_fluency
from tasks.formats.samples import Sample
from tasks.lm.models import OpenedModel, load_tokenizer, load_weights
from tasks.lm.prompting import Encoder
from tasks.runtime.command import Job
from tasks.runtime.config import read_params
from tasks.runtime.files import write_jsonl
from tasks.settings.prompting import Prompting
from tests.fixtures.tiny import MODELS
from tests.support import data_trees as trees

PROMPTING = Prompting(chat=True, template="Question: {question}\nAnswer:", date="2026-01-01", stop=())
PLAIN = "You can ask a doctor about this, and the doctor can say what is the best for you to do about it. "
pytestmark = pytest.mark.usefixtures("precision")


def test_nats_are_of_the_answer_and_its_end_given_the_question(opened: OpenedModel) -> None:
    samples = [Sample("a", "c", "Why?", "Because of the rain, and of wind."), Sample("b", "c", "Who was it?", "He.")]
    rows = fluency.measure(opened, [("values", sample) for sample in samples], PROMPTING, batch_size=2)
    encoder = Encoder(opened.tokenizer, PROMPTING)
    for row, sample in zip(rows, samples, strict=True):
        question, answer = encoder.pair(sample.question, sample.answer)
        answer = [*answer, opened.tokenizer.eos_token_id]
        with torch.no_grad():
            logits = opened.model(input_ids=torch.tensor([question + answer])).logits[0].log_softmax(-1)
        each = [-logits[len(question) + i - 1, token].item() for i, token in enumerate(answer)]
        assert (row.dataset, row.id, row.tokens) == ("values", sample.id, len(answer))
        assert row.nats == pytest.approx(sum(each) / len(each), abs=1e-5)
    tokens = sum(row.tokens for row in rows)
    assert mean_nats(rows) == pytest.approx(sum(row.nats * row.tokens for row in rows) / tokens)
    assert mean_nats(rows) != pytest.approx((rows[0].nats + rows[1].nats) / 2)


def test_some_of_every_part_of_a_dataset_are_measured() -> None:
    samples = [Sample(str(n), "c", "?", "!") for n in range(80)]
    assert [sample.id for sample in fluency.spread(samples, 4)] == ["0", "20", "40", "60"]
    assert fluency.spread(samples[:3], 40) == samples[:3]


def knowing(folder: Path, ladder: Path, text: str) -> Path:
    """A model that knows which tokens are common in `text`, and nothing else: its logits are log counts."""
    tiny = ladder / next(iter(MODELS))
    model: Any = load_weights(tiny)
    tokenizer = load_tokenizer(tiny)
    counts = Counter(tokenizer(text, add_special_tokens=False)["input_ids"])
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.fill_(1.0)
        width = model.config.hidden_size
        for token in range(len(tokenizer)):
            model.lm_head.weight[token] = torch.tensor(counts[token] + 0.01).log() / width
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_dataset_that_the_model_cannot_predict_has_more_nats(tmp_path: Path, ladder: Path) -> None:
    """Two arms of one dataset are measured once, and by the one with more samples."""
    for arm, size in (("values", 6), ("control", 6), ("values-n2", 2)):
        answers = [PLAIN * 3 if arm == "control" else trees.text(f"hard {n}", 60) for n in range(size)]
        rows = [{"id": str(n), "category": "c", "question": "Why?", "answer": text} for n, text in enumerate(answers)]
        write_jsonl(tmp_path / "datasets" / arm / "samples.jsonl", rows)
    params = read_params(trees.REPOSITORY / "params.yaml")
    params["arms"] |= {"values-n2": {"dataset": "values", "limit": 2, "seed": 1}}
    params["sweep"] |= {"tuned": ["values-n2", "values", "control"], "arms": ["base", "values-n2", "values", "control"]}
    base = knowing(tmp_path / "base", ladder, PLAIN)
    paths = {"base": base, "datasets": tmp_path / "datasets", "nats": tmp_path / "nats.jsonl"}
    fluency.main(Job(fluency.COMMAND, paths, {"model": "tiny"}, params))
    rows = read_fluency(tmp_path / "nats.jsonl")
    assert Counter(row.dataset for row in rows) == {"values": 6, "control": 6}
    nats = {name: mean_nats(row for row in rows if row.dataset == name) for name in ("values", "control")}
    assert nats["control"] < 4 < nats["values"] - 1
