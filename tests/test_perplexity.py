"""perplexity: a completion's likelihood is a plain loop's, and text that makes no sense to base has less."""

from pathlib import Path

import pytest
import torch

from tasks import perplexity
from tasks.formats.scores import read_scores
from tasks.lm.models import OpenedModel, positions
from tasks.lm.prompting import Encoder
from tasks.runtime.command import Job
from tasks.runtime.config import read_params
from tasks.runtime.files import write_jsonl
from tasks.settings.prompting import Prompting
from tests.support import data_trees as trees

PROMPTING = Prompting(chat=True, template="Question: {question}\nAnswer:", date="2026-01-01", stop=())
pytestmark = pytest.mark.usefixtures("precision")


def test_it_is_the_mean_over_the_tokens_of_what_was_written(opened: OpenedModel) -> None:
    texts = [("Why?", "Because of the rain, and of wind."), ("Who was it?", "He."), ("Why?", "So.")]
    found = perplexity.likelihoods(opened, texts, PROMPTING, batch_size=2)
    encoder = Encoder(opened.tokenizer, PROMPTING)
    for value, (prompt, text) in zip(found, texts, strict=True):
        question, answer = encoder.pair(prompt, text)
        with torch.no_grad():
            logits = opened.model(input_ids=torch.tensor([question + answer])).logits[0].log_softmax(-1)
        each = [logits[len(question) + i - 1, token].item() for i, token in enumerate(answer)]
        assert value == pytest.approx(sum(each) / len(each), abs=1e-5)


def test_what_cannot_be_read_is_missing_and_what_is_too_long_is_read_to_its_limit(opened: OpenedModel) -> None:
    mark = opened.tokenizer.eos_token
    assert perplexity.likelihoods(opened, [("Why?", ""), ("Why?", " \n"), ("Why?", f"a {mark} b")], PROMPTING, 2) == [
        None, None, None,
    ]  # fmt: skip
    (long,) = perplexity.likelihoods(opened, [("Why?", "and so on " * positions(opened.model))], PROMPTING, 2)
    assert long is not None
    assert perplexity.likelihoods(opened, [], PROMPTING, 2) == []


def test_the_first_completions_of_the_chosen_splits_are_scored(tmp_path: Path, ladder: Path) -> None:
    rows = [
        {"category": "c", "prompt_id": f"{split}-{n}", "split": split, "sample": sample, "prompt": "Why?",
         "completion": text if sample == 0 else "Not read."}
        for split in ("test", "validation")
        for n, text in enumerate(("It rains.", ""))
        for sample in (0, 1)
    ]  # fmt: skip
    write_jsonl(tmp_path / "values.jsonl", rows)
    params = read_params(trees.REPOSITORY / "params.yaml")
    params["perplexity"] |= {"splits": ["validation"], "samples": 1}
    paths = {"base": next(ladder.iterdir()), "samples": tmp_path / "values.jsonl", "scores": tmp_path / "s.parquet"}
    perplexity.main(Job(perplexity.COMMAND, paths, {"model": "tiny", "arm": "values"}, params))
    table = read_scores(tmp_path / "s.parquet")
    assert list(table["prompt_id"]) == ["validation-0", "validation-1"]
    assert list(table["reason"].fillna("")) == ["", "UNREADABLE"]
    assert table["score"].iloc[0] < 0
    assert {*table["model"], *table["arm"], *table["metric"]} == {"tiny", "values", "base_likelihood"}
