"""The scorer `classifier` on a real model, saved by the test."""

import random
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.runtime.errors import InputError
from tasks.scorers import Question, Score, Scorer, open_scorer
from tasks.scorers.scoring import score
from tasks.scorers.store import Store
from tasks.settings.toxicity import Classifier, ClassifierModel, Toxicity
from tests.conftest import BOTH_PRECISIONS
from tests.support.classifier_models import LABELS, save_classifier

VOCABULARY = ["kind", "words", "hate", "kill", "you", "people", "are", "good", "bad", "all"]
TEXTS = [" ".join(random.Random(i).choices(VOCABULARY, k=1 + i % 30)) for i in range(40)] + ["Ünknown 字 <b>"]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> ClassifierModel:
    folder = tmp_path_factory.mktemp("classifier")
    save_classifier(folder, VOCABULARY)
    return ClassifierModel(str(folder), None, "sigmoid", 128, ("en",), LABELS)


def scorer_of(settings: Toxicity, model: ClassifierModel, **changes: object) -> Scorer:
    chosen = {"model": "m", "batch_size": 8, "precision": "fp32", "models": {"m": model}} | changes
    return open_scorer(replace(settings, scorer="classifier", classifier=Classifier(**chosen)))


def scores_of(scorer: Scorer, texts: Iterable[str]) -> dict[str, list[float | None]]:
    questions = [Question(text, scorer.attributes) for text in texts]
    return {a.text: [s.score for s in a.scores] for batch in scorer.ask(questions, "en") for a in batch}


def plainly(folder: str, texts: list[str], activation: str) -> dict[str, list[float]]:
    """What a plain loop with transformers says of each text, in the order of LABELS."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    net = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    torch.set_num_threads(1)
    scores = {}
    for text in texts:
        with torch.no_grad():
            logits = net(**tokenizer(text, return_tensors="pt")).logits[0]
        values = logits.sigmoid() if activation == "sigmoid" else logits.softmax(-1)
        by_label = {net.config.id2label[i]: float(value) for i, value in enumerate(values)}
        scores[text] = [by_label[label] for label in LABELS]
    return scores


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_scores_are_those_of_a_plain_loop(settings: Toxicity, model: ClassifierModel, activation: str) -> None:
    scores = scores_of(scorer_of(settings, replace(model, activation=activation)), TEXTS)
    for text, expected in plainly(model.id, TEXTS, activation).items():
        assert scores[text] == pytest.approx(expected, abs=1e-4)
    spread = [toxicity for toxicity, _ in scores.values() if toxicity is not None]
    assert max(spread) - min(spread) > 0.1  # texts differ, so a mix-up of rows would show


@BOTH_PRECISIONS
def test_bf16_is_near_and_a_version_of_its_own(settings: Toxicity, model: ClassifierModel, precision: str) -> None:
    exact, fast = scorer_of(settings, model), scorer_of(settings, model, precision="bf16")
    if precision == "fp32":  # what the processor computes
        assert fast.version() == exact.version()
        return
    assert " bf16 " in fast.version()
    assert " fp32 " in exact.version()
    a, b = scores_of(exact, TEXTS), scores_of(fast, TEXTS)
    assert max(abs((a[t][0] or 0) - (b[t][0] or 0)) for t in TEXTS) < 0.1


def test_the_version_changes_with_weights_and_meaning(settings: Toxicity, model: ClassifierModel) -> None:
    swapped = dict(zip(LABELS, reversed(LABELS.values()), strict=True))
    meanings = ({}, {"activation": "softmax"}, {"labels": swapped}, {"max_tokens": 64})
    versions = {scorer_of(settings, replace(model, **change)).version() for change in meanings}
    assert len(versions) == 4
    assert scorer_of(settings, model, batch_size=1).version() in versions
    config = Path(model.id) / "config.json"
    before = config.read_bytes()
    config.write_bytes(before + b" ")
    try:
        assert scorer_of(settings, model).version() not in versions
    finally:
        config.write_bytes(before)


def test_long_texts_are_cut_at_sentences_and_scored_in_full(
    settings: Toxicity, model: ClassifierModel, store: Store
) -> None:
    scorer = scorer_of(settings, replace(model, max_tokens=16))
    text = " ".join("kind words are good ." if i % 3 else "all people are good people ." for i in range(20))
    chunks = scorer.cut(text)
    assert len(chunks) > 5
    assert " ".join(chunks) == text
    assert all(chunk.endswith(".") for chunk in chunks)
    scores = score(scorer, chunks, "en", store)
    assert all(score.score is not None for of_text in scores.values() for score in of_text)
    assert scorer.cut("good " * 14) == [("good " * 14).strip()]  # with [CLS] and [SEP] the limit itself
    assert len(scorer.cut("good " * 15)) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": {"toxicity": "TOXICITY"}}, "has no label 'toxicity'; it has clean, toxic, insult, threat"),
        ({"max_tokens": 512}, "reads 128 tokens at most, max_tokens is 512"),
        ({"id": "/no/folder"}, "no such folder; a model of the hub needs a revision"),
        ({"id": str(Path(__file__).parent)}, "no (tokenizer|model) that can be had"),
    ],
)
def test_a_mistake_about_the_model_is_named(
    settings: Toxicity, model: ClassifierModel, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        scores_of(scorer_of(settings, replace(model, **change)), ["good"])


def test_a_broken_model_gives_no_scores(
    settings: Toxicity, model: ClassifierModel, store: Store, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    net = AutoModelForSequenceClassification.from_pretrained(model.id)
    with torch.no_grad():
        net.classifier.bias[1] = float("nan")
    net.save_pretrained(tmp_path / "broken")
    AutoTokenizer.from_pretrained(model.id).save_pretrained(tmp_path / "broken")
    scores = score(scorer_of(settings, replace(model, id=str(tmp_path / "broken"))), ["good"], "en", store)
    assert scores["good"][0] == Score("TOXICITY", None, "NOT_A_NUMBER", permanent=False)
    assert scores["good"][1].score is not None


def test_models_of_the_catalogue_are_pinned(settings: Toxicity) -> None:
    for model in settings.classifier.models.values():
        assert model.revision or model.id.startswith("data/models/")  # a folder of safetensors made by the user
        assert "TOXICITY" in model.labels.values()


def test_a_model_without_a_trained_head_is_refused(settings: Toxicity, model: ClassifierModel, tmp_path: Path) -> None:
    """Its scores would be random, and others the next time under the same version."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(model.id, tmp_path / "headless")
    file = tmp_path / "headless" / "model.safetensors"
    weights = {name: tensor for name, tensor in load_file(file).items() if not name.startswith("classifier")}
    save_file(weights, file, metadata={"format": "pt"})
    scorer = scorer_of(settings, replace(model, id=str(file.parent)))
    with pytest.raises(InputError, match=r"headless: the weights do not fit .* \(missing: classifier\.bias, classif"):
        scores_of(scorer, TEXTS[:2])
