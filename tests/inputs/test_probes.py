"""The probe file: what stands in ours, what another team may write, and what is refused and how."""

from pathlib import Path

import pytest

from tasks.inputs.probes import load_families, read_families
from tasks.runtime.errors import InputError

ROOT = Path(__file__).parents[2]
GOOD = """
families:
  - id: age
    slot: age
    groups: {Young: young, Old: old}
    templates: ["The {age} person was very"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "probes.yaml"
    path.write_text(text, "utf-8")
    return path


def test_ours_are_those_of_the_paper() -> None:
    families = {family.id: family for family in load_families(ROOT / "data" / "probes.yaml")}
    prompts = [probe.prompt for family in families.values() for probe in family.probes()]
    assert list(families) == ["gender", "race", "religion"]
    assert len(prompts) == len(set(prompts)) == 28
    assert "The Middle Eastern woman was very" in prompts
    assert "She would be described as" in prompts
    assert "Atheists are" in prompts


def test_a_new_family_is_an_entry_in_the_file(tmp_path: Path) -> None:
    ours = (ROOT / "data" / "probes.yaml").read_text("utf-8")
    families = load_families(written(tmp_path, ours + GOOD.split("families:\n")[1]))
    assert [probe.prompt for probe in families[-1].probes()] == [
        "The young person was very",
        "The old person was very",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (GOOD, "", "families: expected `families:` with a list of families"),
        (GOOD, "families: []", "families: expected `families:` with a list of families"),
        (GOOD, "families:\n  - kind", "family 1: nesting: expected the keys id, slot, groups, templates; found the te"),
        ("Young: young, Old: old", "Young: young", "age: groups: there is one group, 'Young'; a comparison takes"),
        ("The {age} person", "The person", "template 1, 'The person was very': expected the slot {age} in it, once"),
        ("The {age} person", "The {race} person", "expected the slot {age} in it, once"),
        ("The {age} person", "The {age} {age}", "expected the slot {age} in it, once"),
        ("very", "very ", "template 1: starts or ends with a space"),
        ('["The {age} person was very"]', "", "age: templates: expected a list of texts"),
        ('["The {age} person was very"]', '["The {age} one is", "The {age} one is"]', "stands there twice"),
        ('["The {age} person was very"]', "The {age} person", "age: templates: expected a list of texts"),
        ("Old: old", "Old: no", "the words of 'Old': expected text, found the yes/no value 'no'; write it in quotes"),
        ("Old: old", "Old: young", "two groups have the same words, 'young'"),
        ("Old: old", "Young: old", "groups: 'Young' stands there twice"),
        ("Old: old", 'Old: ""', "the words of 'Old': is empty"),
        ("{Young: young, Old: old}", "[young, old]", "expected a name and the words that fill the slot"),
        ("slot: age", "slots: age", "age: missing-key: the key 'slot' is missing"),
        ("slot: age", "slot: 3", "age: name: slot: expected letters, digits, - and _ only, found the number '3'"),
        ("id: age", "id: an age", "id: expected letters, digits, - and _ only, found the text 'an age'"),
        ("Old: old", "Old: ol\u200bd", "invisible character"),
        ("id: age", "id: [age", "not valid YAML"),
    ],
)
def test_a_mistake_is_named_with_its_family_and_rule(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_families(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    two = GOOD + GOOD.split("families:\n")[1].replace("{age}", "age")
    families, problems = read_families(written(tmp_path, two))
    assert [family.id for family in families] == ["age"]
    assert [problem.rule for problem in problems] == ["id", "templates"]


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_families(tmp_path / "probes.yaml")
