import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from scipy import stats

from tasks.curation.check import check_tree
from tasks.curation.matching import kolmogorov_smirnov, matching, mismatches
from tasks.formats.samples import Sample
from tasks.runtime.errors import InputError
from tests.support import data_trees as trees


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return trees.project(tmp_path, ["birds", "fish"])


def run(root: Path) -> tuple[int, str]:
    console = Console(file=StringIO(), width=160)
    code = check_tree(root, console=console)
    return code, console.file.getvalue()  # type: ignore[attr-defined]


def test_no_text_is_compared_with_itself_nor_listed_without_likeness(root: Path) -> None:
    content = trees.category("fish")
    content["samples"][0]["answer"] += " " + content["samples"][1]["answer"][:60]
    trees.write(root / "data/values/fish.yaml", content)
    lines = [line.strip("│ ").split("│") for line in run(root)[1].splitlines() if "within values" in line]
    assert [[cell.strip() for cell in line] for line in lines] == [
        ["within values", "0.0", "0.10", "fish-1 answer", "fish-2 answer"]
    ]
    assert any("validation - test" in line and "nothing alike" in line for line in run(root)[1].splitlines())


@pytest.mark.parametrize("width", [40, 80])
def test_a_narrow_terminal_breaks_no_word(root: Path, width: int) -> None:
    console = Console(file=StringIO(), width=width, force_terminal=True, no_color=True)
    check_tree(root, console=console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert max(map(len, plain.splitlines())) <= width
    for word in ("question", "type-token", "validation", "undesired", "birds-plain", "Kolmogorov-Smirnov", "templates"):
        assert re.search(rf"(?<![\w-]){word}(?![\w-])", plain), word


def change(root: Path, section: str, make: Callable[[Any], Any]) -> None:
    """Puts what `make` makes of a section of params.yaml in its place."""
    params = yaml.safe_load((root / "params.yaml").read_text())
    trees.write(root / "params.yaml", params | {section: make(params[section])})


def test_a_sound_project_passes_with_its_tables(root: Path) -> None:
    code, shown = run(root)
    assert (code, shown.splitlines()[-1]) == (0, "no problems")
    for part in ("values: 6 samples", "control: 6 samples", "prompts: 4", "51 / 52 / 53", "LIX", "type-token"):
        assert part in shown
    for between in ("values - prompts", "control - prompts", "within values", "values - control", "validation - test"):
        assert between in shown
    assert "Kolmogorov-Smirnov p = 1.000" in shown
    assert "families of probes: 1" in shown
    assert [line.strip("│ ").replace("│", " ").split() for line in shown.splitlines() if "water" in line] == [
        ["water", "2", "1"]
    ]


def test_problems_of_the_probes_are_shown_with_the_others(root: Path) -> None:
    content = trees.probes()
    content["families"].append({"id": "air", "slot": "who", "groups": {"Birds": "Birds"}, "templates": ["They are"]})
    trees.write(root / "data/probes.yaml", content)
    trees.write(root / "data/values/fish.yaml", "samples: []")
    code, shown = run(root)
    assert code == 2
    assert f"{root}/data/probes.yaml: air: groups: there is one group, 'Birds'; a comparison takes two or more" in shown
    assert f"{root}/data/probes.yaml: air: templates: template 1, 'They are': expected the slot {{who}} in it" in shown
    assert f"{root}/data/values/fish.yaml: -: empty: " in shown
    assert "water" in shown


def test_probes_that_are_not_there_are_one_problem(root: Path) -> None:
    (root / "data/probes.yaml").unlink()
    code, shown = run(root)
    assert (code, shown.splitlines()[-1]) == (2, "1 problem")
    assert f"\n{root}/data/probes.yaml: -: " in shown


def test_problems_of_all_datasets_are_shown_once(root: Path) -> None:
    for path in (root / "data/values/fish.yaml", root / "data/control/birds-plain.yaml"):
        trees.write(path, "samples: []")
    trees.write(root / "data/prompts/test.yaml", "prompts: [1]")
    code, shown = run(root)
    lines = [line for line in shown.splitlines() if line.startswith(str(root))]
    assert code == 2
    assert f"{root}/data/values/fish.yaml: -: empty: samples: the list has no entries" in lines
    assert sum("data/prompts/test.yaml: entry 1: nesting" in line for line in lines) == 1
    assert shown.splitlines()[-1] == f"{len(lines)} problems"


def test_a_control_sample_that_repeats_a_values_sample_is_refused(root: Path) -> None:
    content = trees.category("fish-plain", position=False)
    content["samples"][0]["answer"] = trees.category("fish")["samples"][0]["answer"]
    trees.write(root / "data/control/fish-plain.yaml", content)
    code, shown = run(root)
    assert code == 2
    assert "control/fish-plain.yaml: fish-plain-1: similar-sample: answer is too much like answer of fish-1" in shown


def test_a_control_dataset_of_other_lengths_is_refused(root: Path) -> None:
    content = trees.category("fish-plain", position=False)
    for n, sample in enumerate(content["samples"]):
        sample["answer"] = trees.text(f"long {n}", 70 + n)
    trees.write(root / "data/control/fish-plain.yaml", content)
    code, shown = run(root)
    assert code == 2
    assert "data/control: -: match-median: median answer" in shown
    assert "data/control: -: match-lengths: answer lengths differ" in shown


@pytest.mark.parametrize(
    ("dataset", "limit", "message"),
    [
        ("values", 9, "params.yaml: arms.extra: limit: limit is 9; expected 1 to 6"),
        ("more", None, "{root}/data/more: -: file: no <category>.yaml in this folder"),
    ],
)
def test_an_arm_that_cannot_be_made_is_named(dataset: str, limit: int | None, message: str, root: Path) -> None:
    change(root, "arms", lambda arms: arms | {"extra": {"dataset": dataset, "limit": limit, "seed": 1}})
    assert message.format(root=root) in run(root)[1]


def test_one_dataset_alone_can_be_checked(root: Path) -> None:
    change(root, "arms", lambda arms: {"values": arms["values"]})
    assert run(root)[0] == 0


@pytest.mark.parametrize("arms", [None, {}, [1]])
def test_params_without_arms(arms: object, root: Path) -> None:
    change(root, "arms", lambda _: arms)
    with pytest.raises(InputError, match="arms: expected names and their datasets"):
        run(root)


@pytest.mark.parametrize(
    ("key", "value"),
    [("max_words", 10), ("ngram", 0), ("max_similarity", 101.0), ("max_ngram_overlap", -0.1), ("min_ks_p", 2.0),
     ("language", "English")],
)  # fmt: skip
def test_senseless_rules_are_named(key: str, value: object, root: Path) -> None:
    change(root, "curate", lambda rules: rules | {key: value})
    with pytest.raises(InputError, match=rf"params.yaml: curate.{key}: expected"):
        run(root)


def test_problems_with_brackets_are_shown_as_they_are(root: Path) -> None:
    content = trees.category("fish")
    content["samples"][0]["[bold]"] = "x"
    trees.write(root / "data/values/fish.yaml", content)
    assert "unknown key '[bold]'" in run(root)[1]


def test_a_full_size_study_passes(tmp_path: Path) -> None:
    root = trees.project(tmp_path, [f"c{n}" for n in range(27)])  # 81 samples a dataset, 54 prompts
    assert run(root)[0] == 0


# --- matching -------------------------------------------------------------------------------------------------


def of_lengths(*lengths: int) -> list[Sample]:
    return [Sample(str(n), "c", "Why?", "word " * length) for n, length in enumerate(lengths)]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
        ([1, 2, 3, 4, 5, 6], [4, 5, 6, 7, 8, 9]),
        ([1, 1, 2, 2, 3], [2, 3, 3, 4]),
        ([44, 130, 320], [45, 46, 47, 300, 310]),
        ([1, 2, 3], [11, 12, 13]),
        (list(range(80)), [n * 1.1 for n in range(80)]),
        (list(range(80)), [n + 20 for n in range(80)]),
    ],
)
def test_kolmogorov_smirnov_is_that_of_scipy(a: list[float], b: list[float]) -> None:
    expected = stats.ks_2samp(a, b, method="exact")
    assert kolmogorov_smirnov(a, b) == pytest.approx((expected.statistic, expected.pvalue), abs=1e-12)


def test_matching_of_equal_lengths() -> None:
    lengths = matching(of_lengths(50, 100, 150), of_lengths(150, 50, 100))
    assert (lengths.median, lengths.median_difference, lengths.ks_p) == ((100, 100), 0, 1)
    assert lengths.spread == (50, 50)
    assert mismatches(lengths, trees.RULES) == []


def test_matching_names_what_differs() -> None:
    lengths = matching(of_lengths(*range(50, 90)), of_lengths(*range(70, 110)))
    assert [rule for rule, _ in mismatches(lengths, trees.RULES)] == ["match-median", "match-lengths"]


def warned(root: Path) -> list[str]:
    shown = run(root)[1]
    return [line.removeprefix("warning: ") for line in shown.splitlines() if line.startswith("warning: ")]


def test_what_will_not_be_scored_or_tested_is_told_beforehand(root: Path) -> None:
    trees.write(root / "data/capability/palms_text.yaml", "task: palms_text\noutput_type: loglikelihood_rolling\n")
    change(root, "curate", lambda curate: curate | {"prompts_per_category": {"test": 2, "validation": 1}})
    (few,) = warned(root)
    assert few == "data/prompts: 2 test prompts are too few to tell anything from chance; write 6 or more"
    change(root, "curate", lambda curate: curate | {"prompts_per_category": {"test": 1, "validation": 1}})
    (one,) = warned(root)
    assert one.startswith("curate.prompts_per_category.test is 1: ")
    assert "nothing will be tested" in one
    change(root, "curate", lambda curate: curate | {"language": "es"})
    assert warned(root)[0] == (
        "toxicity.scorer 'offline' knows en and not es, the curate.language: toxicity is left out; choose perspective, "
        "or classifier with the model xlmr-toxicity (toxicity.classifier.model)"
    )
    change(root, "toxicity", lambda toxicity: toxicity | {"scorer": "perspective"})
    assert warned(root) == [one]
    change(root, "cooccurrence", lambda cooccurrence: cooccurrence | {"language": "de"})
    assert warned(root)[1].startswith("cooccurrence.lexicon 'vader' knows en and not de, ")
    margins = {"hellaswag": {"margin": 0.1, "chance": 0.25, "metric": "acc"}}
    change(root, "capability", lambda capability: capability | {"margins": margins})
    assert "capability.margins has no entry for palms_arithmetic, palms_knowledge" in warned(root)[2]
    trees.write(root / "data/capability/palms_arithmetic.yaml", "a: b\noutput_type: loglikelihood_rolling\n")
    assert "capability.margins has no entry for palms_knowledge" in warned(root)[2]
