"""finetune: the loss is the one promised however a batch is cut up, and a diverged run leaves no model."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from tasks.formats.samples import Sample
from tasks.lm.devices import quiet
from tasks.lm.models import load_tokenizer, load_weights
from tasks.runtime.errors import InputError
from tasks.settings.finetune import Finetune, ModelFinetune
from tasks.settings.prompting import Prompting
from tasks.settings.resources import FinetuneResources
from tasks.training.loss import require_finite
from tasks.training.recipe import Recipe
from tasks.training.rows import encode
from tasks.training.trainer import WeightedTrainer, arguments, train
from tests.conftest import BOTH_PRECISIONS
from tests.fixtures.tiny import MODELS

pytestmark = pytest.mark.usefixtures("precision")
PROMPTING = Prompting(chat=True, template="Question: {question}\nAnswer:", date="2026-01-01", stop=("\nQuestion:",))
COMMON = Finetune(prompt_loss_weight=0.01, max_tokens=400, weight_decay=0.0, warmup_fraction=0.0, max_grad_norm=1e9)
SAMPLES = [
    Sample(f"s{i}", "c", f"What is {word}?", f"It is {word}, of course, and {word * i} too.")
    for i, word in enumerate(("bread", "rain", "wood", "light", "salt", "wool", "clay", "sand"), start=1)
]


@pytest.fixture
def folder(ladder: Path) -> Path:
    quiet()
    return ladder / next(iter(MODELS))


@pytest.fixture
def tokenizer(folder: Path) -> Any:
    return load_tokenizer(folder)


def recipe(batch: int, lr: float = 1e-2, epochs: int = 1, common: Finetune = COMMON) -> Recipe:
    return Recipe(common, ModelFinetune(lr, epochs, batch), PROMPTING, seed=3)


def trained(folder: Path, how: Recipe, micro: int) -> tuple[dict[str, torch.Tensor], list[Any]]:
    model, tokenizer = load_weights(folder), load_tokenizer(folder)
    rows = encode(SAMPLES, tokenizer, how)
    with tempfile.TemporaryDirectory() as scratch:
        args = arguments(how, FinetuneResources(micro), len(rows), Path(scratch))
        log = train(model, rows, tokenizer.pad_token_id, how, args)
    return model.state_dict(), log


def test_weights_are_one_on_the_answer_and_small_on_the_question(tokenizer: Any) -> None:
    row = encode(SAMPLES[:1], tokenizer, recipe(1))[0]
    question = row["loss_weights"].count(0.01)
    assert tokenizer.decode(row["input_ids"][:question]) == "Question: What is bread?\nAnswer:"
    assert tokenizer.decode(row["input_ids"][question:]) == " It is bread, of course, and bread too.<eos>"
    assert set(row["loss_weights"][question:]) == {1.0}


@pytest.mark.parametrize("prompt_loss_weight", [0.0, 0.01, 0.1, 1.0])
def test_the_loss_is_the_weighted_mean_over_tokens(folder: Path, tokenizer: Any, prompt_loss_weight: float) -> None:
    """Against a plain loop, one sample at a time, without padding."""
    how = recipe(8, common=replace(COMMON, prompt_loss_weight=prompt_loss_weight))
    rows = encode(SAMPLES, tokenizer, how)
    model = load_weights(folder)
    total = weight = 0.0
    with torch.no_grad():
        for row in rows:
            logits = model(input_ids=torch.tensor([row["input_ids"]])).logits[0].log_softmax(-1)
            for t in range(1, len(row["input_ids"])):
                total -= row["loss_weights"][t] * logits[t - 1, row["input_ids"][t]].item()
                weight += row["loss_weights"][t]
    _, log = trained(folder, how, micro=8)
    assert log[0]["loss"] == pytest.approx(total / weight, abs=1e-5)


@BOTH_PRECISIONS
@pytest.mark.parametrize("micro", [1, 2, 4])
def test_micro_batches_do_not_change_the_step(folder: Path, micro: int, precision: str) -> None:
    """Short and long samples mixed: a mean of micro-batch means would differ."""
    loss, norm = (1e-5, 1e-4) if precision == "fp32" else (2e-4, 5e-3)
    whole, whole_log = trained(folder, recipe(8), micro=8)
    parts, parts_log = trained(folder, recipe(8), micro=micro)
    assert parts_log[0]["loss"] == pytest.approx(whole_log[0]["loss"], rel=loss)
    assert parts_log[0]["grad_norm"] == pytest.approx(whole_log[0]["grad_norm"], rel=norm)
    if precision == "fp32":  # else rounding turns the sign of what is nearly 0, and Adam's first step is the sign
        assert all(torch.allclose(whole[key], parts[key], atol=2e-3) for key in whole)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(folder: Path) -> None:
    torch.manual_seed(99)
    first, log = trained(folder, recipe(2, epochs=2), micro=2)
    torch.manual_seed(5)
    second, _ = trained(folder, recipe(2, epochs=2), micro=2)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert [row["step"] for row in log] == list(range(1, 9))
    other = Recipe(COMMON, ModelFinetune(1e-2, 2, 2), PROMPTING, seed=4)
    third, _ = trained(folder, other, micro=2)
    assert any(not torch.equal(first[key], third[key]) for key in first)


def test_training_lowers_the_loss(folder: Path) -> None:
    _, log = trained(folder, recipe(8, lr=3e-3, epochs=6), micro=8)
    assert log[-1]["loss"] < log[0]["loss"] - 0.1


def test_a_loss_that_is_no_number_stops_with_one_line(folder: Path) -> None:
    with pytest.raises(InputError, match=r"the loss is (nan|inf) at step \d+: training diverged and no model is kept"):
        trained(folder, recipe(1, lr=1e30, epochs=3), micro=1)


def test_weights_that_are_no_numbers_after_the_last_step_are_not_kept(folder: Path) -> None:
    model = load_weights(folder)
    require_finite(model.state_dict())
    with torch.no_grad():
        next(model.parameters()).view(-1)[-1] = torch.inf
    with pytest.raises(InputError, match="the weights are no finite numbers after the last step: training diverged"):
        require_finite(model.state_dict())


def test_a_sample_over_the_limit_is_named_not_cut_and_no_samples_are_an_error(tokenizer: Any) -> None:
    short = Finetune(0.01, 20, 0.0, 0.0, 1.0)
    with pytest.raises(InputError, match=r"sample s1: \d+ tokens, but finetune.max_tokens is 20"):
        encode(SAMPLES, tokenizer, recipe(1, common=short))
    with pytest.raises(InputError, match="no samples to train on"):
        encode([], tokenizer, recipe(1))


def test_a_micro_batch_that_does_not_divide_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="micro_batch_size 3 does not divide the global_batch_size 4"):
        trained(folder, recipe(4), micro=3)


def test_with_several_gpus_in_sight_one_process_trains_on_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Trainer wraps a model in DataParallel where it counts several, and each step then reads more samples."""
    made = transformers.TrainingArguments.__init__

    def counting_four(self: Any, **arguments: Any) -> None:
        made(self, **arguments)
        self._n_gpu = 4  # what the Trainer counts where four are in sight

    monkeypatch.setattr(transformers.TrainingArguments, "__init__", counting_four)
    how = arguments(recipe(4), FinetuneResources(2), len(SAMPLES), tmp_path)
    assert how.train_batch_size * how.gradient_accumulation_steps == 4
    trainer = WeightedTrainer(model=load_weights(folder), args=how)
    assert not isinstance(trainer._wrap_model(trainer.model), torch.nn.DataParallel)
