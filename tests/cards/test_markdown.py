"""What cards are made of; the cards themselves are made of a whole sweep in tests/flows/test_own_values.py."""

import pytest
import yaml

from tasks.cards.markdown import front, license_of, number, table


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("CC-BY-4.0", {"license": "cc-by-4.0"}),
        ("Our Own, v2", {"license": "other", "license_name": "our-own-v2"}),
        (None, {}),
    ],
)
def test_a_licence_by_the_hubs_ids(name: str | None, keys: dict[str, str]) -> None:
    assert license_of(name) == keys


def test_the_hubs_block_is_yaml_without_what_is_not_known() -> None:
    text = front({"license": "mit", "base_model": None, "language": ["es"], "tags": ["ñandú"]})
    assert text.startswith("---\n")
    assert text.endswith("---\n")
    assert yaml.safe_load(text.split("---\n")[1]) == {"license": "mit", "language": ["es"], "tags": ["ñandú"]}
    assert "ñandú" in text


def test_no_text_ends_a_table() -> None:
    assert table(("a", "b"), [("one | two", "three\nfour"), (1, "")]).splitlines() == [
        "| a | b |",
        "| --- | --- |",
        r"| one \| two | three four |",
        "| 1 |  |",
    ]


@pytest.mark.parametrize(("value", "text"), [("0.0565", "+0.057"), (-0.002, "−0.002"), ("", "–"), (None, "–")])
def test_a_number_that_is_missing_is_a_dash(value: str | float | None, text: str) -> None:
    assert number(value) == text
