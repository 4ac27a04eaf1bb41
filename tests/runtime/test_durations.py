"""How long stages took: kept by working tree, read leniently, and never in the way."""

import json
from pathlib import Path

import pytest

from tasks.reporting.page import provenance
from tasks.runtime import durations
from tasks.settings.sweep import Sweep

GRAPH = """
stages:
  curate: {foreach: "${arms}", do: {cmd: a}}
  fetch: {matrix: {model: "${sweep.models}"}, cmd: b}
  generate: {matrix: {model: "${sweep.models}", arm: "${sweep.arms}"}, cmd: c}
  toxicity: {cmd: d}
  report: {cmd: e}
"""
SWEEP = Sweep(("small",), ("values",), ("base", "values"))


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working tree with a cache beside it."""
    root = tmp_path / "tree"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("PALMS_CACHE", str(tmp_path / "cache"))
    return root


def test_the_last_run_of_each_stage_counts(tmp_path: Path) -> None:
    for seconds in (10.04, 20.06):
        durations.record(durations.stage_name("generate", ["small", "base"]), seconds)
    durations.record(durations.stage_name("toxicity", []), 1)
    seconds = {stage: duration.seconds for stage, duration in durations.recorded().items()}
    assert seconds == {"generate@small-base": 20.1, "toxicity": 1.0}
    lines = (tmp_path / "cache" / durations.FILE).read_text("utf-8").splitlines()
    assert len(lines) == 3
    assert str(tmp_path) not in "".join(lines)


def test_other_trees_of_the_same_cache_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    durations.record("toxicity", 1)
    monkeypatch.chdir(tmp_path)
    assert durations.recorded() == {}


def test_lines_that_make_no_sense_are_passed_over(tmp_path: Path) -> None:
    durations.record("toxicity", 3)
    path = tmp_path / "cache" / durations.FILE
    good = json.loads(path.read_text("utf-8"))
    bad = ["{", "3", "null", json.dumps(good | {"seconds": "long"}), json.dumps({"tree": good["tree"]}), "\ufffd"]
    path.write_text("\n".join([*bad, json.dumps(good)]), "utf-8")
    assert durations.recorded()["toxicity"].seconds == 3


@pytest.mark.parametrize("cache", ["file", "file/below", "bad\udcffname\0"])
def test_a_cache_that_cannot_be_written_stops_nothing(
    cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(durations, "cache_folder", lambda: tmp_path / cache)
    durations.record("toxicity", 1)
    assert durations.recorded() == {}


def test_the_report_lists_the_ladder_s_stages_in_the_graph_s_order_and_says_what_is_not_recorded(tree: Path) -> None:
    assert provenance.durations(SWEEP) == []  # no graph
    (tree / "dvc.yaml").write_text(GRAPH, "utf-8")
    for name, seconds in (
        ("generate@small-values", 1),
        ("fetch@small", 9.96),
        ("generate@gone-values", 1),
        ("report", 1),
        ("generate@small-values", 125),
    ):
        durations.record(name, seconds)
    rows = provenance.durations(SWEEP)
    assert [(stage, took) for stage, took, _ in rows] == [
        ("curate@values", "not recorded"),
        ("fetch@small", "10 s"),
        ("generate@small-base", "not recorded"),
        ("generate@small-values", "2 min 05 s"),
        ("toxicity", "not recorded"),
    ]
    assert rows[1][2].endswith(" UTC")
    assert rows[0][2] == ""
