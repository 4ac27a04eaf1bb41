"""The data in git, held to the bounds of docs/method.md, "Data", whatever params.yaml allows."""

import dataclasses
from collections import Counter, defaultdict
from io import StringIO
from pathlib import Path
from statistics import mean

import pytest
import yaml
from rich.console import Console
from scipy import stats

from tasks.curation.check import check_tree
from tasks.curation.checks import all_samples
from tasks.curation.closeness import Closeness, across_fields
from tasks.curation.matching import matching
from tasks.formats.samples import Sample
from tasks.inputs.dataset import SPLITS, Category, Prompt, load_categories, load_prompts
from tasks.text.words import count, sentences, tokens
from tests.support import data_trees as trees

ROOT = Path(__file__).parent.parent
DATA = ROOT / "data"
MAX_SIMILARITY, MAX_OVERLAP, NGRAM = 75, 0.4, 4
RULES = dataclasses.replace(trees.RULES, ngram=NGRAM)
FRAME_WORDS, MAX_FRAME = 4, 3  # a sentence's first words, and the answers they may stand in


@pytest.fixture(scope="module")
def values() -> list[Category]:
    return load_categories(DATA / "values")


@pytest.fixture(scope="module")
def control() -> list[Category]:
    return load_categories(DATA / "control")


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    return load_prompts(DATA / "prompts")


def test_there_are_eight_categories_of_ten_samples(values: list[Category], control: list[Category]) -> None:
    assert [len(category.samples) for category in values] == [10] * 8
    assert len(all_samples(control)) == 80
    assert len({len(category.samples) for category in control}) == 1
    assert all(category.position for category in values)
    assert not any(category.position for category in control)


def test_there_are_forty_prompts_a_split_five_a_category(values: list[Category], prompts: list[Prompt]) -> None:
    expected = {(category.category, split): 5 for category in values for split in SPLITS}
    assert Counter((prompt.category, prompt.split) for prompt in prompts) == expected


def test_answers_have_40_to_340_words_spread_over_the_range(values: list[Category], control: list[Category]) -> None:
    for samples in (all_samples(values), all_samples(control)):
        lengths = [count(sample.answer) for sample in samples]
        assert min(lengths) >= 40
        assert max(lengths) <= 340
        assert sum(length < 70 for length in lengths) >= 8
        assert sum(length > 250 for length in lengths) >= 8


def test_control_matches_values_in_length(values: list[Category], control: list[Category]) -> None:
    matched = matching(all_samples(values), all_samples(control))
    assert matched.median_difference < 0.05
    assert matched.ks_p > 0.5
    lengths = [[count(sample.answer) for sample in all_samples(part)] for part in (values, control)]
    assert stats.ks_2samp(*lengths).pvalue == pytest.approx(matched.ks_p)
    spread_of_values, spread_of_control = matched.spread
    assert spread_of_control == pytest.approx(spread_of_values, rel=0.1)


def test_pairs_differ_in_value_and_not_in_length(prompts: list[Prompt]) -> None:
    differences = []
    for prompt in prompts:
        for pair in prompt.pairs:
            a, b = count(pair.desired), count(pair.undesired)
            assert 8 <= min(a, b) <= max(a, b) <= 40, prompt.id
            assert abs(a - b) <= 0.2 * max(a, b), prompt.id
            differences.append(a - b)
    assert abs(mean(differences)) < 0.5, "words by which one side is longer on the whole"


def test_nothing_leaks(values: list[Category], control: list[Category], prompts: list[Prompt]) -> None:
    for categories in (values, control):
        close = Closeness.of(all_samples(categories), prompts, RULES)
        for compared in (*close.samples, close.to_prompts, *close.splits):
            assert compared.above(MAX_SIMILARITY, MAX_OVERLAP) == []
    (answers,) = across_fields(all_samples(values), all_samples(control), ("answer",), RULES)
    assert answers.above(MAX_SIMILARITY, MAX_OVERLAP) == []


def test_no_sentence_frame_stands_in_more_than_three_answers(values: list[Category]) -> None:
    by_frame = frames(all_samples(values))
    assert {" ".join(frame): sorted(ids) for frame, ids in by_frame.items() if len(ids) > MAX_FRAME} == {}


def frames(samples: list[Sample]) -> dict[tuple[str, ...], set[str]]:
    """The first words of every sentence, with the samples whose answer has such a one."""
    by_frame: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for sample in samples:
        for sentence in sentences(sample.answer):
            if len(start := tokens(sentence)[:FRAME_WORDS]) == FRAME_WORDS:
                by_frame[start].add(sample.id)
    return by_frame


def test_a_sentence_frame_would_be_seen() -> None:
    answers = [f"Well, no. It is important to {verb}. Bye." for verb in ("ask", "wait", "rest", "leave")]
    by_frame = frames([Sample(str(n), "c", "?", answer) for n, answer in enumerate(answers)])
    assert len(by_frame["it", "is", "important", "to"]) == 4


def test_every_entry_says_who_wrote_it() -> None:
    for path in sorted(DATA.glob("*/*.yaml")):
        content = yaml.safe_load(path.read_text("utf-8"))
        for entry in [*content.get("samples", []), *content.get("prompts", [])]:
            assert entry.get("author"), f"{path.name}: {entry['id']}"


def test_palms_check_passes() -> None:
    console = Console(file=StringIO(), width=160)
    code = check_tree(ROOT, console=console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert code == 0, shown
    assert "Kolmogorov-Smirnov" in shown
