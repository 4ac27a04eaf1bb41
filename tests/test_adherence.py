"""adherence: likelihoods equal a plain loop's, and a planted preference shows."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from tasks import adherence
from tasks.adherence import metrics, of_prompts, score
from tasks.formats.scores import read_scores
from tasks.inputs.dataset import AnswerPair, Prompt
from tasks.lm import likelihood
from tasks.lm.likelihood import batches, mean_log_likelihoods
from tasks.lm.models import OpenedModel
from tasks.lm.prefill import Prefix
from tasks.runtime.command import Job
from tasks.settings.prompting import Prompting
from tests.conftest import BOTH_PRECISIONS
from tests.fixtures.tiny import MODELS
from tests.support import data_trees as trees
from tests.support.precision import opened_in_fp32

PROMPTING = Prompting(chat=True, template="Question: {question}\nAnswer:", date="2026-01-01", stop=())
CLOSE = {"fp32": 1e-5, "bf16": 0.03}  # nats per token; bf16 has three digits
pytestmark = pytest.mark.usefixtures("precision")
PROMPTS = [  # the longer first, as they are not read in this order
    Prompt(
        "b",
        "c",
        "test",
        "What is it made of, and by whom?",
        (
            AnswerPair("Of salt.", "Of nothing that anybody knows of."),
            AnswerPair("It is made of salt by a cook.", "Of sand."),
            AnswerPair("Of bread.", "Bread, of all things, and of something that is not bread."),
        ),
    ),
    Prompt("a", "c", "test", "Why?", (AnswerPair("Because of the long rain.", "No."),)),
]
PAIRS = [(prompt, pair) for prompt in PROMPTS for pair in prompt.pairs]


@pytest.fixture(scope="module")
def opened(ladder: Path) -> OpenedModel:
    return opened_in_fp32(ladder / next(iter(MODELS)))


def plain(opened: OpenedModel, context: str, answer: str) -> float:
    """Mean log-likelihood of the answer's tokens, one text at a time, token by token."""
    start = opened.tokenizer(context)["input_ids"] if context else [opened.tokenizer.bos_token_id]
    ids = opened.tokenizer(answer, add_special_tokens=False)["input_ids"]
    with torch.no_grad(), opened.autocast():
        logits = opened.model(input_ids=torch.tensor([start + ids])).logits[0].float().log_softmax(-1)
    return sum(logits[len(start) + i - 1, token].item() for i, token in enumerate(ids)) / len(ids)


@BOTH_PRECISIONS
def test_batched_scores_equal_a_plain_loop(opened: OpenedModel, precision: str) -> None:
    assert opened.model.dtype == torch.float32  # the weights; only the arithmetic is that of `precision`
    table = score(opened, PROMPTS, PROMPTING, batch_size=3)
    assert table["pair"].tolist() == [1, 2, 3, 1]
    for row, (prompt, pair) in zip(table.to_dict("records"), PAIRS, strict=True):
        assert (row["prompt_id"], row["desired_text"]) == (prompt.id, pair.desired)
        question = f"Question: {prompt.prompt}\nAnswer:"
        for which in ("desired", "undesired"):
            text = " " + getattr(pair, which)
            assert row[which] == pytest.approx(plain(opened, question, text), abs=CLOSE[precision])
            assert row[f"{which}_free"] == pytest.approx(plain(opened, "", text), abs=CLOSE[precision])
        assert row["margin"] == row["desired"] - row["undesired"]
        assert row["margin_free"] == row["desired_free"] - row["undesired_free"]


def test_the_margin_and_the_two_that_it_is_the_sum_of_are_metrics(opened: OpenedModel) -> None:
    table = of_prompts(score(opened, PROMPTS, PROMPTING, batch_size=3))
    by_metric = {name: rows.set_index("prompt_id") for name, rows in metrics(table).groupby("metric")}
    assert list(by_metric) == ["adherence", "adherence_free", "adherence_less_free"]
    margins = table.set_index("prompt_id")
    assert by_metric["adherence"]["score"].tolist() == margins["margin"].tolist()
    assert by_metric["adherence_free"]["score"].tolist() == margins["margin_free"].tolist()
    assert by_metric["adherence_less_free"]["score"].tolist() == (margins["margin"] - margins["margin_free"]).tolist()


def test_a_prompt_has_the_mean_of_its_pairs(opened: OpenedModel) -> None:
    pairs = score(opened, PROMPTS, PROMPTING, batch_size=8)
    prompts = of_prompts(pairs).set_index("prompt_id")
    assert list(prompts.index) == ["b", "a"]
    assert prompts["pairs"].tolist() == [3, 1]
    for name in ("desired", "undesired", "desired_free", "undesired_free", "margin", "margin_free"):
        assert prompts.loc["b", name] == pytest.approx(pairs[name][:3].mean(), abs=1e-12)
        assert prompts.loc["a", name] == pytest.approx(pairs[name][3], abs=1e-12)
    assert pairs["margin"][:3].nunique() == 3


def test_a_question_is_read_once_for_all_its_answers(opened: OpenedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six answers and two: neither question is begun in one batch and read anew in the next."""
    questions = []
    prefill = likelihood.prefill

    def counted(opened: OpenedModel, prefixes: list[list[int]]) -> Prefix:
        questions.extend(prefixes)
        return prefill(opened, prefixes)

    monkeypatch.setattr(likelihood, "prefill", counted)
    score(opened, PROMPTS, PROMPTING, batch_size=7)
    assert len([ids for ids in questions if len(ids) > 1]) == len(PROMPTS)


def test_answers_of_one_context_are_parted_only_if_they_do_not_fit() -> None:
    rows = [([context], [answer]) for context, answers in ((1, 2), (2, 3), (3, 5), (4, 1)) for answer in range(answers)]
    for size, expected in ((4, [2, 3, 4, 2]), (5, [5, 5, 1]), (1, [1] * 11), (99, [11])):
        made = list(batches(rows, size))
        assert [len(batch) for batch in made] == expected
        assert [row for batch in made for row in batch] == rows


def test_the_batch_size_does_not_matter(opened: OpenedModel) -> None:
    one = score(opened, PROMPTS, PROMPTING, batch_size=1)
    all_at_once = score(opened, PROMPTS, PROMPTING, batch_size=64)
    assert (one["margin"] - all_at_once["margin"]).abs().max() < 1e-5


def test_an_answer_made_likelier_gains(opened: OpenedModel) -> None:
    """Raising one token's bias must raise the mean log-likelihood of answers made of it, and only theirs."""
    start = [opened.tokenizer.bos_token_id]
    pairs = [(start, [7, 7, 7]), (start, [8, 8])]
    before = mean_log_likelihoods(opened, pairs, 2)

    def favour(_module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        output[..., 7] += 3
        return output

    hook = opened.model.get_output_embeddings().register_forward_hook(favour)
    after = mean_log_likelihoods(opened, pairs, 2)
    hook.remove()
    assert after[0] > before[0] + 2
    assert after[1] < before[1]


def test_only_the_prompts_of_the_named_splits_are_read(tmp_path: Path, ladder: Path) -> None:
    for split in ("validation", "test"):
        trees.write(tmp_path / f"data/prompts/{split}.yaml", trees.prompts(split, ["birds"]))
    paths = {"checkpoint": ladder / next(iter(MODELS)), "prompts": tmp_path / "data/prompts"}
    paths |= {"scores": tmp_path / "scores.parquet", "pairs": tmp_path / "pairs.csv"}
    params = {"adherence": {"splits": ["validation"], "batch_size": 8}, "prompting": asdict(PROMPTING)}
    adherence.main(Job(adherence.COMMAND, paths, {"model": "m", "arm": "base"}, params))
    assert set(read_scores(paths["scores"])["split"]) == {"validation"}
