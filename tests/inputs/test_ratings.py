from pathlib import Path

import pytest

from tasks.inputs.dataset import load_categories
from tasks.inputs.ratings import read_instructions
from tasks.runtime.errors import InputError

ROOT = Path(__file__).parents[2]
OURS = ROOT / "data/ratings/instructions.yaml"


def test_our_instructions_fit_our_dataset() -> None:
    found = read_instructions(OURS, [each.category for each in load_categories(ROOT / "data/values")])
    assert (tuple(found.scale), found.direction) == ((1, 2, 3, 4, 5), "ltr")
    assert len(found.practice) >= 3
    assert len(found.attention) >= 3
    assert len({item.prompt for item in (*found.practice, *found.attention)}) == len(found.practice + found.attention)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("language: en", "language: English", "language: expected an ISO 639 code"),
        ("  1: Against the", "  6: Against the", "scale: expected words for each of 1 to 5"),
        ("rating: 5", "rating: 7", "practice[0].rating: expected"),
        ("rating: 5", "rating: '5'", "practice[0].rating: expected"),
        ("right: 2", "right: 9", "right: there are 3 choices, found 9"),
        ("category: health", "category: wealth", "practice: no category 'wealth' with a position; there is abuse"),
        ("expected: [2]", "expected: []", "attention[0].expected"),
        ("  unclear:", "  Not clear:", "cannot_judge: expected a name of a-z"),
        ("title: Rating texts", "title: ''", "title: expected words, found none"),
        ("words: {}", "wrods: {}", "unknown key 'wrods'"),
    ],
)
def test_a_mistake_is_named_by_file_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "instructions.yaml"
    path.write_text(OURS.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(InputError) as raised:
        read_instructions(path, [each.category for each in load_categories(ROOT / "data/values")])
    assert f"{path}: " in str(raised.value)
    assert message in str(raised.value)
