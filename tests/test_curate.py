import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from tasks import curate
from tasks.curation.checks import all_samples, examine
from tasks.curation.statistics import histogram, statistics
from tasks.formats.samples import Sample, read_samples
from tasks.inputs.dataset import AnswerPair, Category, Problem, Prompt, load_categories, load_prompts
from tasks.runtime.command import Job
from tasks.runtime.errors import InputError
from tasks.settings.sweep import Arm
from tests.support import data_trees as trees
from tests.support.damage import PROMPTS, SAMPLES, Damage, damage_file

RULES = trees.RULES


def problems(values: Path, prompts: Path) -> list[Problem]:
    return examine(values, prompts, RULES).problems


def assert_named(reported: list[Problem], damage: Damage, name: str, file: Path) -> None:
    """The problem names the file, the entry and the rule, in one printable line."""
    entry, message = damage.entry.format(name=name), damage.message.format(name=name)
    of_entry = [problem for problem in reported if problem.file == str(file) and problem.entry == entry]
    matching = [problem for problem in of_entry if problem.rule == damage.rule and message in problem.message]
    assert matching, "\n".join(map(str, reported)) or "nothing was found"
    assert str(matching[0]) == f"{file}: {entry}: {damage.rule}: {matching[0].message}"
    assert all(str(problem).isprintable() for problem in reported)


def by_kind(damage: Damage) -> str:
    return damage.kind.replace(" ", "-")


@pytest.fixture
def values(tmp_path: Path) -> Path:
    """A well-formed dataset of two categories, with its prompts beside it."""
    return trees.tree(tmp_path, ["birds", "fish"])[0]


@pytest.fixture
def prompts(values: Path) -> Path:
    return values.parent / "prompts"


def test_a_well_formed_tree_has_no_problems_whatever_notes_and_hidden_files_stand_in_it(
    values: Path, prompts: Path
) -> None:
    assert problems(values, prompts) == []
    for name in ("README.md", ".birds.yaml.swp", "LICENSE"):
        (values / name).touch()
    assert problems(values, prompts) == []


@pytest.mark.parametrize("damage", SAMPLES, ids=by_kind)
def test_damage_to_a_sample_is_named(values: Path, prompts: Path, damage: Damage) -> None:
    damage_file(values, "birds", damage)
    reported = problems(values, prompts)
    assert_named(reported, damage, "birds", values / "birds.yaml")
    assert {problem.file for problem in reported} == {str(values / "birds.yaml")}, "the rest is well-formed"


@pytest.mark.parametrize("damage", PROMPTS, ids=by_kind)
def test_damage_to_a_prompt_is_named(values: Path, prompts: Path, damage: Damage) -> None:
    content = trees.prompts("test", ["birds", "fish"])
    content["prompts"][0] = damage.content("birds")
    trees.write(prompts / "test.yaml", content)
    file = "validation.yaml" if damage.entry.endswith("validation") else "test.yaml"
    assert_named(problems(values, prompts), damage, "birds", prompts / file)


SINGLE = ("no answer", "not UTF-8", "a list as entry", "a number", "duplicate question", "a tag", "too short")


@pytest.mark.parametrize("kind", SINGLE)
def test_one_mistake_is_one_problem(values: Path, prompts: Path, kind: str) -> None:
    damage_file(values, "birds", next(damage for damage in SAMPLES if damage.kind == kind))
    assert len(problems(values, prompts)) == 1


def damaged_tree(root: Path) -> tuple[Path, Path, list[str]]:
    """A tree with every damage in it, each in a category of its own."""
    names = [f"case{n}" for n in range(len(SAMPLES) + len(PROMPTS))]
    values, prompts = trees.tree(root, names)
    for name, damage in zip(names, SAMPLES, strict=False):
        damage_file(values, name, damage)
    content = trees.prompts("test", names)
    for n, damage in enumerate(PROMPTS, len(SAMPLES)):
        content["prompts"][n] = damage.content(names[n])
    trees.write(prompts / "test.yaml", content)
    return values, prompts, names


def test_all_damage_is_found_in_one_pass(tmp_path: Path) -> None:
    values, prompts, names = damaged_tree(tmp_path)
    with pytest.raises(InputError) as refusal:
        curate.main(job(tmp_path, values, prompts, Arm("values", None, 1)))
    lines = str(refusal.value).split("\n")
    for name, damage in zip(names, [*SAMPLES, *PROMPTS], strict=True):
        entry, message = (text.format(name=name) for text in (damage.entry, damage.message))
        assert any(f": {entry}: {damage.rule}: " in line and message in line for line in lines), damage.kind
    assert all(re.fullmatch(r"\S+\.yaml: [^:]+: [a-z0-9-]+: .+", line) for line in lines)


def test_the_command_says_so_without_a_traceback(tmp_path: Path) -> None:
    values, prompts, _ = damaged_tree(tmp_path)
    trees.project(tmp_path, ["birds"])
    flags = {"arm": "values", "dataset": values, "prompts": prompts}
    flags |= {"samples": tmp_path / "s.jsonl", "statistics": tmp_path / "s.json"}
    arguments = [part for flag, value in flags.items() for part in (f"--{flag}", str(value))]
    command = [sys.executable, "-m", "tasks", "curate", *arguments]
    environment = {"PYTHONPATH": str(trees.REPOSITORY), "PATH": ""}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.returncode == 2, run.stderr
    assert "Traceback" not in run.stderr
    assert len(run.stderr.splitlines()) > len(SAMPLES), run.stderr
    assert not (tmp_path / "s.jsonl").exists()


@pytest.mark.parametrize("name", ["birds.yml", "birds.json", "notes.csv"])
def test_a_file_that_nobody_would_read_is_named(name: str, values: Path, prompts: Path) -> None:
    (values / name).touch()
    (problem,) = problems(values, prompts)
    assert str(problem) == f"{values / name}: -: file: would not be read; expected <category>.yaml"


def test_a_folder_named_like_a_file(values: Path, prompts: Path) -> None:
    (values / "bats.yaml").mkdir()
    messages = [problem.message for problem in problems(values, prompts) if problem.rule == "file"]
    assert messages == ["cannot be read: Is a directory"]


def test_missing_folders_and_splits_are_named(prompts: Path, tmp_path: Path) -> None:
    (prompts / "test.yaml").unlink()
    reported = problems(tmp_path / "nowhere", prompts)
    assert {(problem.file, problem.rule) for problem in reported} == {
        (str(tmp_path / "nowhere"), "file"),
        (str(prompts / "test.yaml"), "file"),
    }


def test_a_category_without_prompts_is_unbalanced(values: Path, prompts: Path) -> None:
    trees.write(prompts / "test.yaml", trees.prompts("test", ["birds"]))
    (problem,) = problems(values, prompts)
    assert (problem.file, problem.rule) == (str(prompts / "test.yaml"), "balance")
    assert problem.message == "0 prompts of category 'fish'; curate.prompts_per_category.test is 1"


def test_a_wrong_category_is_told_and_not_what_follows_of_it(values: Path, prompts: Path) -> None:
    content = trees.category("fish")
    trees.write(values / "fisch.yaml", content)  # a file that somebody renamed
    (values / "fish.yaml").unlink()
    assert [(Path(each.file).name, each.rule) for each in problems(values, prompts)] == [("fisch.yaml", "category")]
    trees.write(values / "fisch.yaml", content | {"category": "fisch"})
    content = trees.prompts("test", ["birds", "fisch"])
    content["prompts"][0]["category"] = "brids"
    trees.write(prompts / "test.yaml", content)
    trees.write(prompts / "validation.yaml", trees.prompts("validation", ["birds", "fisch"]))
    (problem,) = problems(values, prompts)
    assert problem.message.startswith("'brids' is no category of")


def test_a_control_dataset_needs_not_the_categories_of_the_prompts(prompts: Path, tmp_path: Path) -> None:
    trees.write(tmp_path / "control" / "tools.yaml", trees.category("tools", position=False))
    assert problems(tmp_path / "control", prompts) == []


# --- main, select ---------------------------------------------------------------------------------------------


def job(root: Path, values: Path, prompts: Path, arm: Arm) -> Job:
    paths = {"dataset": values, "prompts": prompts}
    paths |= {"samples": root / "made" / "samples.jsonl", "statistics": root / "made" / "statistics.json"}
    params = {"curate": asdict(RULES), "arms": {"values": vars(arm)}}
    return Job(curate.COMMAND, paths, {"arm": "values"}, params)


def test_it_writes_rows_that_are_the_samples(values: Path, prompts: Path, tmp_path: Path) -> None:
    curate.main(job(tmp_path, values, prompts, Arm("values", None, 1)))
    made = tmp_path / "made" / "samples.jsonl"
    assert read_samples(made) == all_samples(load_categories(values))
    assert list(json.loads(made.read_text().split("\n")[0])) == ["id", "category", "question", "answer"]


def test_the_same_input_makes_the_same_bytes(values: Path, prompts: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        curate.main(job(tmp_path / name, values, prompts, Arm("values", 4, 1)))
    for file in ("samples.jsonl", "statistics.json"):
        assert (tmp_path / "a/made" / file).read_bytes() == (tmp_path / "b/made" / file).read_bytes()


def test_statistics_are_of_the_samples_kept(values: Path, prompts: Path, tmp_path: Path) -> None:
    curate.main(job(tmp_path, values, prompts, Arm("values", 2, 1)))
    figures = json.loads((tmp_path / "made" / "statistics.json").read_text())
    kept = {sample.id for sample in read_samples(tmp_path / "made" / "samples.jsonl")}
    assert figures["samples"] == len(kept) == 2
    assert {nearest["sample_id"] for nearest in figures["nearest_to_prompts"].values()} <= {*kept, None}
    assert {pair["left"] for pair in figures["closest"]["sample-prompt"]} <= kept


@pytest.mark.parametrize("limit", [0, -1, 7])
def test_a_limit_out_of_range_is_refused(values: Path, prompts: Path, limit: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"params.yaml: arms.values: limit: limit is {limit}; expected 1 to 6"):
        curate.main(job(tmp_path, values, prompts, Arm("values", limit, 1)))


def samples(categories: int, each: int) -> list[Sample]:
    return [Sample(f"c{c}-{n}", f"c{c}", "?", "!") for c in range(categories) for n in range(each)]


@pytest.mark.parametrize("limit", range(1, 13))
def test_a_limit_keeps_categories_balanced_and_the_order(limit: int) -> None:
    every = samples(3, 4)
    kept = curate.select(every, limit, seed=1)
    assert len(kept) == limit
    assert kept == [sample for sample in every if sample in kept]
    counts = [sum(sample.category == f"c{c}" for sample in kept) for c in range(3)]
    assert max(counts) - min(counts) <= 1
    assert set(kept) >= set(curate.select(every, limit - 1, seed=1) if limit > 1 else [])


def test_the_seed_draws_the_samples_if_there_is_a_limit() -> None:
    every = samples(4, 10)
    assert curate.select(every, None, 1) == every
    drawn = {tuple(curate.select(every, 8, seed)) for seed in range(20)}
    assert len(drawn) == 20
    first = {curate.select(every, 1, seed)[0].category for seed in range(40)}
    assert first == {"c0", "c1", "c2", "c3"}, "the category that comes first is drawn too"


# --- statistics -----------------------------------------------------------------------------------------------


def test_statistics_of_a_dataset(values: Path, prompts: Path) -> None:
    every, asked = all_samples(load_categories(values)), load_prompts(prompts)
    figures = statistics(every, asked, RULES)
    assert figures["samples"] == 6
    assert figures["total"]["answer_words"] == {"min": 51, "median": 52, "max": 53}
    assert figures["categories"]["fish"]["question_words"] == {"min": 12, "median": 12, "max": 12}
    assert figures["answer_words_histogram"] == [{"from": 40, "to": 59, "count": 6}]
    assert set(figures["nearest_to_prompts"]) == {prompt.id for prompt in asked}
    json.dumps(figures, allow_nan=False)


def test_nearest_names_the_sample_that_is_closest(values: Path, prompts: Path) -> None:
    asked = load_prompts(prompts)
    leak = Sample("leak", "birds", asked[1].prompt, trees.text("anything", 50))
    nearest = statistics([*all_samples(load_categories(values)), leak], asked, RULES)["nearest_to_prompts"]
    assert nearest[asked[1].id]["sample_id"] == "leak"
    assert nearest[asked[1].id]["similarity"] == 100


def test_a_prompt_near_nothing_says_so() -> None:
    lone = Sample("s", "c", "Why?", trees.text("s", 60))
    asked = "How do birds find their way home in autumn?"
    prompt = Prompt("p", "c", "test", asked, (AnswerPair(trees.text("d", 9), trees.text("u", 9)),))
    assert statistics([lone], [prompt], RULES)["nearest_to_prompts"]["p"] == {
        "similarity": 0,
        "sample_id": None,
        "sample_text": None,
        "prompt_text": None,
    }


def test_histogram_has_no_gaps() -> None:
    assert [bar["count"] for bar in histogram([45, 47, 103])] == [2, 0, 0, 1]
    assert histogram([]) == []


def test_a_category_is_its_samples() -> None:
    category = Category("c", "C", None, tuple(samples(1, 2)))
    assert all_samples([category, category]) == [*category.samples, *category.samples]
