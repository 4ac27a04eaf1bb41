"""What `curate` and `fetch` would refuse is told before a sweep runs anything, and only where they would run."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from flows import hashes, refused
from flows.dag import Stage, Survey
from flows.init import Choices, init
from tasks.curation import checks
from tasks.lm.folders import fingerprint
from tasks.runtime import config
from tasks.runtime.errors import InputError
from tests.support import data_trees
from tests.support.flow_trees import PALMS, environment

CURATE = Stage("curate@values", "curate", cmd="python -m tasks curate --arm values", item={"key": "values"})
FETCH = Stage("fetch@mine", "fetch", cmd="python -m tasks fetch --model mine", item={"model": "mine"})
STALE = {CURATE.name: ["input x was modified"], FETCH.name: ["never ran"]}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with a mistake in its prompts, and a model of its own under a wrong hash."""
    data_trees.project(tmp_path, ["birds", "fish"])
    misspell(tmp_path, "test")
    (tmp_path / "mine").mkdir()
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        (tmp_path / "mine" / name).write_text("{}")
    pin(tmp_path, "a" * 64)
    monkeypatch.delenv("PALMS_CACHE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def misspell(root: Path, split: str) -> None:
    path = root / f"data/prompts/{split}.yaml"
    path.write_text(path.read_text("utf-8").replace("category: fish", "category: fsh"), "utf-8")


def pin(root: Path, sha256: str | None) -> None:
    params = config.read_params(root / "params.yaml")
    source = {"kind": "path", "path": "mine", "sha256": sha256, "family": "f", "license": "l"}
    params["models"]["mine"] = {**params["models"]["smollm2-135m"], "source": source}
    data_trees.write(root / "params.yaml", params)


def told(root: Path, stage: Stage, changes: Mapping[str, list[str]] = STALE) -> list[str]:
    try:
        refused.check(Survey(root, (CURATE, FETCH), dict(changes), {}), [stage])
    except InputError as refusal:
        return str(refusal).splitlines()
    return []


def test_a_mistake_in_the_texts_is_told(root: Path) -> None:
    lines = told(root, CURATE)
    assert lines[0] == (
        "data/prompts/test.yaml: fish-test: category: 'fsh' is no category of data/values, which has birds, fish"
    )
    assert all(line.startswith("data/prompts/") for line in lines)


def test_of_many_mistakes_the_first_are_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    misspell(root, "validation")
    total = len(told(root, CURATE))
    assert total > 1
    monkeypatch.setattr(refused, "_MOST", 1)
    assert told(root, CURATE)[1:] == [f"and {total - 1} more; `palms check` names all of the texts'"]


def test_nothing_is_read_where_the_stages_are_up_to_date(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "examine", lambda *_: pytest.fail("it read a dataset"))
    monkeypatch.setattr(hashes, "fingerprint", lambda _: pytest.fail("it read a model"))
    assert told(root, CURATE, {}) == told(root, FETCH, {}) == []


def test_a_wrong_hash_is_one_line(root: Path) -> None:
    actual = fingerprint(root / "mine")
    (line,) = told(root, FETCH)
    assert line.startswith(
        f"params.yaml: models.mine.source.sha256: found {'a' * 64}, but the hash of mine is {actual}; `palms models --p"
    )
    pin(root, None)
    (line,) = told(root, FETCH)
    assert "expected the hash of mine, found null; `palms models --pin mine` writes it" in line
    pin(root, actual)
    assert told(root, FETCH) == []


def test_a_model_is_read_once_until_it_changes(root: Path, monkeypatch: pytest.MonkeyPatch,
                                               capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    read: list[Path] = []
    monkeypatch.setattr(hashes, "fingerprint", lambda path: read.append(path) or fingerprint(path))
    monkeypatch.setattr(hashes, "_LONG", 1)
    first = told(root, FETCH)
    assert capsys.readouterr().err == "reading mine to check its hash\n"
    assert told(root, FETCH) == first
    assert len(read) == 1
    assert capsys.readouterr().err == ""
    before = (root / "mine/model.safetensors").stat()
    (root / "mine/model.safetensors").write_text("[]")  # as long, and made to look as old
    os.utime(root / "mine/model.safetensors", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert told(root, FETCH) != first
    (root / ".cache/palms/hashes.json").write_text("[")  # cut off
    told(root, FETCH)
    assert len(read) == 3


@pytest.mark.parametrize("words", [["sweep"], ["sweep", "--dry-run"], ["sweep", "significance"]])
def test_a_sweep_says_so_and_starts_nothing(tmp_path: Path, words: list[str]) -> None:
    study = tmp_path / "study"
    init(study, Choices("en", ["ocean", "soil"], "smollm2-135m"))
    path = study / "data/prompts/test.yaml"
    path.write_text(path.read_text("utf-8").replace("category: ocean", "category: ocaen", 1), "utf-8")
    done = subprocess.run([*PALMS, *words], cwd=study, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, ""), done.stdout + done.stderr
    assert done.stderr.startswith("error: data/prompts/test.yaml: ocean-test-01: category: 'ocaen' is no category of")
    assert done.stderr.count("\n") < 10
