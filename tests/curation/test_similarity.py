
import numpy as np
import pytest
from rapidfuzz import fuzz

from tasks.curation.similarity import Comparison, Text, across, within
from tasks.text import words
from tests.support import data_trees as trees

PROMPT = "How should a father punish a son who talks back?"


def texts(*contents: str, field: str = "text") -> list[Text]:
    return [Text(f"t{n}", field, content) for n, content in enumerate(contents)]


def one(left: str, right: str, **options: bool) -> Comparison:
    return across(texts(left), texts(right), 4, **options)


def similarity(left: str, right: str, **options: bool) -> float:
    return float(one(left, right, **options).similarity[0, 0])


def overlap(left: str, right: str) -> float:
    return float(one(left, right).overlap[0, 0])


def test_case_order_and_punctuation_do_not_count() -> None:
    assert similarity(PROMPT, "who TALKS back: how should a father — punish a son!") == 100


def test_it_is_rapidfuzz_on_the_tokens() -> None:
    other = "How should a mother punish a daughter who lies?"
    expected = fuzz.token_set_ratio(" ".join(words.tokens(PROMPT)), " ".join(words.tokens(other)))
    assert similarity(PROMPT, other) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    "paraphrase",
    [
        "How should a father discipline a son who talks back?",
        "How should a dad punish a son who talks back?",
        "How should a father punish his son when he talks back?",
        "In what way should a father punish a son who talks back?",
        "How should fathers punish a son who talks back?",
    ],
)
def test_a_paraphrase_with_few_changed_words_is_close(paraphrase: str) -> None:
    assert similarity(paraphrase, PROMPT) >= 75
    within_a_text = f"We live in Lima. {paraphrase} My mother says one thing and the school another."
    assert similarity(within_a_text, PROMPT, passages=True) >= 75


def test_a_long_text_is_not_close_because_it_has_all_small_words() -> None:
    long = f"{PROMPT} {trees.text('filler', 200)}".replace("?", "")
    assert fuzz.token_set_ratio(" ".join(words.tokens(long)), " ".join(words.tokens(PROMPT))) == 100
    assert similarity(long, PROMPT, passages=True) == 0
    assert overlap(long, PROMPT) == 1, "the overlap sees the copied passage"


def test_two_sentences_are_found_in_a_long_text() -> None:
    answer = "Her letters are her own business. Whoever is worried about them should simply ask her."
    reworded = "Her letters are her own affair. Whoever is anxious about them ought to simply ask her."
    assert similarity(f"I see. {reworded} {trees.text('filler', 90)}.", answer, passages=True) >= 75


def test_very_short_texts_are_left_to_the_overlap() -> None:
    assert similarity("What do I do?", "What do I say?") == 0
    assert overlap("What do I do?", "what do I do") == 1


def test_overlap_is_the_share_of_the_shorter_text() -> None:
    assert overlap("a b c d e f g", "x a b c d e y z z z z z") == pytest.approx(2 / 4)
    assert overlap("a b c d e", "f g h i j") == 0


def test_ratio_only_within_a_role() -> None:
    left, right = texts(PROMPT, field="question"), texts(PROMPT, field="desired")
    compared = across(left, right, 4, role=lambda text: text.field)
    assert compared.similarity[0, 0] == 0
    assert compared.overlap[0, 0] == 1


def test_within_compares_each_pair_once() -> None:
    compared = within(texts(PROMPT, PROMPT, "Something else is asked here, quite plainly."), 4)
    assert np.count_nonzero(compared.similarity == 100) == 1
    (pair,) = compared.above(90, 0.9)
    assert (pair.left.id, pair.right.id) == ("t0", "t1")


def test_closest_and_nearest_agree() -> None:
    left = texts("How do whales sleep in the open sea?", "How do bats sleep upside down in caves?")
    right = texts("How do bats sleep upside down in winter?", "Which bridge is the oldest in all of Spain?")
    compared = across(left, right, 4)
    assert compared.closest(1)[0].left.id == compared.nearest()["t0"].left.id == "t1"
    assert set(compared.nearest()) == {"t0", "t1"}


@pytest.mark.parametrize(("left", "right"), [([], ["a b c d e f"]), (["a b c d e f"], []), ([], []), (["…"], ["!"])])
def test_nothing_to_compare_is_no_error(left: list[str], right: list[str]) -> None:
    compared = across(texts(*left), texts(*right), 4, passages=True)
    assert compared.similarity.shape == compared.overlap.shape == (len(left), len(right))
    assert compared.above(75, 0.4) == []
    assert within(texts(*left), 4).closest(3) == [] or left


def test_scripts_without_spaces_are_compared_by_pairs_of_letters() -> None:
    asked = "父親は口答えをする息子をどう罰するべきですか。"
    assert similarity(asked, "父は口答えをする息子をどう罰するべきですか。") > 85
    assert similarity(asked, "夏の京都ではどの寺を訪ねるのが一番よいでしょうか。") < 50


# --- words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Don't panic: it's a well-being thing.", 6),
        ("about 3.5 or 10,000 of them — or so…", 8),
        ("¿Cómo está usted?", 3),
        ("किताब पढ़ना अच्छा है", 4),
        ("می‌خواهم بروم", 2),
        ("한국어는 띄어쓰기를 합니다", 3),
        ("これは本です。", 6),
        ("3か月前、東京でRustを学んだ", 12),
        ("ที่นี่", 2),
        ("e\u0301te\u0301", 1),
        ("", 0),
        ("— … !", 0),
    ],
)
def test_words_are_counted_in_every_script(text: str, count: int) -> None:
    assert words.count(text) == count


def test_tokens_are_words_and_pairs_of_letters() -> None:
    assert words.tokens("Don’t, ＡＢＣ日本語 xyz 木!") == ("don't", "abc", "日本", "本語", "xyz", "木")
    assert words.tokens("本") == ("本",)


def test_sentences() -> None:
    assert words.sentences("Yes. “No?” she said… Fine!\n\nNext 3.5 line") == [
        "Yes.",
        "“No?",
        "she said…",
        "Fine!",
        "Next 3.5 line",
    ]
    assert words.sentences("本です。それは？はい！") == ["本です。", "それは？", "はい！"]


def test_lix_by_hand() -> None:
    text = "The cat sat. Extraordinary circumstances followed."  # 6 words, 2 sentences, 3 of over six letters
    assert words.lix([text]) == pytest.approx(6 / 2 + 100 * 3 / 6)
    assert words.lix(["これは本です。"]) is None
    assert words.lix([]) is None


def test_type_token_ratio_and_spread() -> None:
    assert words.type_token_ratio(["A b", "a c"]) == 3 / 4
    assert words.type_token_ratio([""]) is None
    assert words.spread(["a", "a b", "a b c d"]) == {"min": 1, "median": 2, "max": 4}
    assert words.spread([]) is None
