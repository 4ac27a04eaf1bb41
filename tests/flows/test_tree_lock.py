import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flows import tree_lock
from flows.processes import TREE_MARK, marked
from tasks.runtime.errors import InputError
from tests.support.flow_trees import wait_for


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    return tmp_path


def test_a_second_holder_is_told_who_the_first_is(root: Path) -> None:
    with tree_lock.hold(root, "otter", "id", "url") as (record, dead):
        assert dead is None
        record("3/7", {"train@m-a": 5.0})
        with pytest.raises(InputError, match=rf"'otter', process {os.getpid()}, started .*3/7 stages"):
            tree_lock.tidy(root)
        holder = tree_lock.running(root)
        assert holder is not None
        assert str(holder).startswith("flow run 'otter'")
        assert holder.at_work == {"train@m-a": 5.0}
    assert tree_lock.running(root) is None
    assert tree_lock.tidy(root) == []


def test_a_second_holder_is_not_told_of_one_that_is_dead(root: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    note = {"pid": gone.pid, "flow_run": "otter", "flow_run_id": "id", "api": "url", "started": "then"}
    with tree_lock.locked(root):  # a sweep that tidies, and has not said yet who it is
        for text in (None, json.dumps(note)):
            if text:
                (root / ".dvc" / "tmp" / "palms.json").write_text(text)
            with pytest.raises(InputError, match="works in this tree: it has just begun; wait for it") as caught:
                tree_lock.tidy(root)
            assert "kill" not in str(caught.value)


def test_a_holder_that_was_killed_is_told_to_the_next(root: Path) -> None:
    note = {"pid": 1, "flow_run": "otter", "flow_run_id": "id", "api": "url", "started": "then", "progress": ""}
    (root / ".dvc" / "tmp" / "palms.json").write_text(json.dumps(note))
    with tree_lock.hold(root, "beaver", "id2", "url") as (_, dead):
        assert dead == tree_lock.Holder(**note)
    with tree_lock.hold(root, "mink", "id3", "url") as (_, dead):
        assert dead is None


def test_rwlock_keeps_only_the_entries_of_living_writers(root: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)", "dvc", "repro", "-s", "a"])
    gone = subprocess.Popen(["true"])
    gone.wait()
    try:
        alive = {"pid": writer.pid, "cmd": "/usr/bin/dvc repro -s a"}
        reused = {"pid": writer.pid, "cmd": "/usr/bin/dvc repro -s b"}
        dead = {"pid": gone.pid, "cmd": "/usr/bin/dvc repro -s a"}
        path = root / ".dvc" / "tmp" / "rwlock"
        entries = {"write": {"x": alive, "y": reused, "z": dead}, "read": {"x": [alive, dead], "y": [dead]}}
        path.write_text(json.dumps(entries))
        tree_lock.clear_rwlock(root)
        assert json.loads(path.read_text()) == {"write": {"x": alive}, "read": {"x": [alive]}}
        os.utime(path, (1, 1))  # written before that process began: not its entry
        tree_lock.clear_rwlock(root)
        assert json.loads(path.read_text()) == {"write": {}, "read": {}}
    finally:
        writer.kill()
        writer.wait()


@pytest.mark.parametrize("text", ["", '{"write": {"x"', "[]", '{"write": {"x": 3}}'])
def test_a_cut_off_rwlock_is_removed(root: Path, text: str) -> None:
    path = root / ".dvc" / "tmp" / "rwlock"
    path.write_text(text)
    tree_lock.clear_rwlock(root)
    assert not path.exists()


WHOLE = "schema: '2.0'\nstages:\n  a:\n    cmd: echo\n"


@pytest.mark.parametrize("text", ["", WHOLE[:-6], WHOLE + "  b:\n    c", "schema: '2.0'\nstages: {a: [\n"])
def test_a_cut_off_dvc_lock_is_set_aside(root: Path, text: str) -> None:
    (root / "dvc.lock").write_text(text)
    (note,) = tree_lock.tidy(root)
    assert "dvc.lock was cut off" in note
    assert not (root / "dvc.lock").exists()


def test_a_dvc_lock_that_is_being_written_is_not_set_aside(root: Path) -> None:
    (root / "dvc.lock").write_text(WHOLE[:-6])
    writer = threading.Timer(0.3, (root / "dvc.lock").write_text, [WHOLE])
    writer.start()
    assert tree_lock.tidy(root) == []
    writer.join()
    assert (root / "dvc.lock").read_text() == WHOLE


def test_a_whole_dvc_lock_stays_and_a_conflict_is_the_users(root: Path) -> None:
    (root / "dvc.lock").write_text(WHOLE)
    assert tree_lock.tidy(root) == []
    assert (root / "dvc.lock").read_text() == WHOLE
    (root / "dvc.lock").write_text("<<<<<<< HEAD\n" + WHOLE)
    with pytest.raises(InputError, match="merge conflict"):
        tree_lock.tidy(root)


def test_stages_of_a_killed_sweep_are_ended(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_lock, "_LEFTOVERS", 0.5)
    orphan = subprocess.Popen(["sleep", "60"], env={**os.environ, TREE_MARK: str(root)})
    wait_for(lambda: marked(TREE_MARK, str(root)))  # a process that has only just begun shows no environment yet
    tree_lock.tidy(root)
    assert orphan.wait(2) < 0
