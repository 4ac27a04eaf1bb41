"""Two sweeps side by side: as folders, commits and experiments; what differed, and what became of the findings."""

import json
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows import cli, compare, compare_page
from flows.compare import Compared, Figure, Finding
from tasks.runtime import terminal
from tasks.runtime.errors import InputError
from tests.support import data_trees
from tests.support.flow_trees import environment

NAMES = ["birds", "fish"]


def metrics(diff: float, p: float) -> dict[str, Any]:
    contrast = {"diff": diff, "ci_lo": diff - 0.03, "ci_hi": diff + 0.03, "p_corr": p}
    of_set = {"diff": 0.05, "ci90_lo": 0.01, "ci90_hi": 0.09}
    return {
        "adherence": {"small": {"values_minus_control": contrast, "values_minus_base": contrast | {"ci_lo": None}}},
        "capability": {"small": {"values": {"offline": of_set}}},
    }


def sweep(folder: Path, diff: float = 0.05, p: float = 0.01) -> Path:
    """A finished sweep as far as git holds it."""
    folder.mkdir()
    data_trees.project(folder, NAMES)
    data_trees.write(folder / "data/metrics.json", json.dumps(metrics(diff, p)))
    data_trees.write(folder / "tasks/x.py", "x = 1\n")
    data_trees.write(folder / "dvc.yaml", "stages: {}\n")
    (folder / ".dvc").mkdir()
    return folder


def changed(folder: Path) -> None:
    """Other numbers, texts and code, and what they led to."""
    params = yaml.safe_load((folder / "params.yaml").read_text("utf-8"))
    params["generate"]["temperature"] = 1.0
    params["resources"]["finetune"]["default"]["micro_batch_size"] = 1
    params["models"]["smollm2-135m"]["finetune"]["epochs"] = 2
    params["models"]["pythia-70m"]["finetune"]["epochs"] = 9  # which no sweep chose
    data_trees.write(folder / "params.yaml", params)
    values = data_trees.category("fish")
    values["samples"][0]["answer"] += " And so on."
    values["samples"][2]["id"] = "fish-9"
    data_trees.write(folder / "data/values/fish.yaml", values)
    for name in ("ratings/anna.csv", "looks.csv", "examples/en/values/fish.yaml", "made/plots/arms.csv"):
        data_trees.write(folder / "data" / name, "a: b\n")
    data_trees.write(folder / "data/metrics.json", json.dumps(metrics(0.01, 0.4)))
    data_trees.write(folder / "tasks/x.py", "x = 2\n")


def git(folder: Path, *command: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=b"]
    run = subprocess.run(["git", *who, *command], cwd=folder, env=environment(), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One commit of a sweep, and another one in the working tree."""
    root = sweep(tmp_path / "study")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    changed(root)
    return root


EXPECTED = [
    ("generate.temperature", "0.8", "1.0"),
    ("models.smollm2-135m.finetune.epochs", "1", "2"),
]


def assert_compared(found: Compared) -> None:
    assert found.params == EXPECTED
    assert found.texts == [
        "data/ratings: 1 only in B (anna.csv)",
        "data/values: 1 only in A (fish-3); 1 only in B (fish-9); 1 changed (fish-1)",
        "code: 1 files (tasks/x.py)",
    ]
    assert [(f.metric, f.model, f.contrast, f.change) for f in found.findings] == [
        ("adherence", "small", "values − control", "found in A only"),
        ("offline", "small", "values − base", "the same"),
    ]
    assert str(found.findings[0].b) == "+0.010 (−0.020 to +0.040, p 0.400)"


def test_folders_commits_and_experiments_compare_alike(repository: Path, tmp_path: Path) -> None:
    other = sweep(tmp_path / "other")
    changed(other)
    assert_compared(compare.compare(repository, "HEAD", str(repository)))
    assert_compared(compare.compare(repository, "HEAD", str(other)))  # which git knows nothing of
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "two")
    assert_compared(compare.compare(repository, "HEAD~1", "HEAD"))
    git(repository, "update-ref", "refs/exps/12/3456/seeds", "HEAD")
    assert_compared(compare.compare(repository, "HEAD~1", "seeds"))


@pytest.mark.parametrize(
    ("a", "b", "change"),
    [
        (Figure(0.1, 0.0, 0.2, 0.01), Figure(0.2, 0.1, 0.3, 0.02), "found in both"),
        (Figure(0.1, 0.0, 0.2, 0.01), Figure(-0.2, -0.3, -0.1, 0.02), "found in both, and turned round"),
        (Figure(0.1, -0.1, 0.3, 0.3), Figure(0.2, 0.1, 0.3, 0.02), "found in B only"),
        (Figure(0.2, 0.1, 0.3, 0.02, 0.99), Figure(0.2, 0.1, 0.3, 0.02), "found in B only"),
        (Figure(0.1, -0.1, 0.3, None), Figure(0.2, 0.1, 0.3, None), "found in B only"),  # by the interval
        (Figure(0.1, -0.1, 0.3, 0.3), Figure(0.2, -0.1, 0.3, 0.2), "found in neither"),
        (None, Figure(0.2, 0.1, 0.3, 0.02), "only in B"),
        (Figure(0.2, 0.1, 0.3, 0.02), None, "only in A"),
    ],
)
def test_what_became_of_a_finding(a: Figure | None, b: Figure | None, change: str) -> None:
    assert Finding("m", "small", "c", a, b).change == change


def test_a_difference_is_found_at_the_level_of_its_sweep(repository: Path, tmp_path: Path) -> None:
    strict = sweep(tmp_path / "strict")
    params = yaml.safe_load((strict / "params.yaml").read_text("utf-8"))
    params["significance"]["confidence"] = 0.995
    data_trees.write(strict / "params.yaml", params)
    changes = {each.metric: each.change for each in compare.compare(repository, "HEAD", str(strict)).findings}
    assert "found in A only" in changes.values()


def test_a_side_that_is_no_sweep_is_named(repository: Path) -> None:
    with pytest.raises(InputError, match=r"^none: neither a folder, nor a git revision, nor an experiment"):
        compare.compare(repository, "none", "HEAD")
    (repository / "data/metrics.json").unlink()
    with pytest.raises(InputError, match=r"^B, which is \S+, has no finished sweep: no data/metrics\.json there; run"):
        compare.compare(repository, "HEAD", str(repository))


def test_a_sweep_that_is_not_committed_is_told_apart_from_none(repository: Path) -> None:
    git(repository, "rm", "-q", "--cached", "data/metrics.json")
    git(repository, "commit", "-qm", "without a sweep")
    with pytest.raises(InputError, match=r"^A, which is HEAD, has .* commit dvc\.lock and data/metrics\.json first$"):
        compare.compare(repository, "HEAD", str(repository))


@pytest.mark.parametrize("width", [40, 80, None])
def test_it_reads_at_every_width(repository: Path, width: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    text = "\n".join(compare.lines(compare.compare(repository, "HEAD", "."), width))
    assert "generate.temperature" in text
    assert all(word in text.split() for word in ("(−0.020", "+0.040,", "found"))
    shown = terminal.wrapped(text, width)
    assert shown.split() == text.split()
    assert width is None or max(map(len, shown.splitlines())) <= width


class Tags(HTMLParser):
    """Counts tags, and what is fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attributes if name in ("src", "href")]


def test_the_page_stands_alone(repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
                               ) -> None:  # fmt: skip
    monkeypatch.chdir(repository)
    assert cli.main(["compare", "HEAD", ".", "--page", "compared.html"]) == 0
    assert "compared.html: the same as a page" in capsys.readouterr().out
    parser = Tags()
    parser.feed(Path("compared.html").read_text("utf-8"))
    assert parser.sources == []
    assert "script" not in parser.tags
    assert parser.tags.count("svg") == 2
    assert parser.tags.count("circle") == 4


def test_names_cannot_write_markup(repository: Path, tmp_path: Path) -> None:
    found = replace(compare.compare(repository, "HEAD", str(repository)), a="<script>")
    compare_page.write(found, tmp_path / "p.html")
    assert "<script>" not in (tmp_path / "p.html").read_text("utf-8")
