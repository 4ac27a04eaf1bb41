"""Several people with one cache: what docs/sharing.md sets makes their files one another's."""

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.flow_trees import Tree, environment

GRAPH = """
stages:
  one: {cmd: "echo ran >> ${log}; mkdir one; echo 1 > one/a; echo 2 > one/b", deps: [raw], outs: [one]}
  two: {cmd: "echo ran >> ${log}; cat one/* > two", deps: [one], outs: [two]}
"""


def test_a_shared_cache_is_the_groups_and_serves_the_next_tree(new_tree: Callable[..., Tree], tmp_path: Path) -> None:
    cache, log = tmp_path / "cache", tmp_path / "log"
    cache.mkdir()
    cache.chmod(0o2775)
    trees = [new_tree({"dvc.yaml": GRAPH, "params.yaml": f"log: {log}\n", "raw": "data"}) for _ in range(2)]
    for tree in trees:
        tree.dvc("cache", "dir", "--local", str(cache))
        tree.dvc("config", "--local", "cache.shared", "group")
        repro = [sys.executable, "-m", "dvc", "repro", "-q"]
        subprocess.run(["sh", "-c", 'umask 022; exec "$@"', "sh", *repro], cwd=tree.root, env=environment(), check=True)
    assert log.read_text() == "ran\nran\n"  # the second tree ran nothing
    folders = [path for path in cache.rglob("*") if path.is_dir()]
    assert folders
    assert all(path.stat().st_mode & stat.S_IWGRP for path in folders), folders
    assert all(path.stat().st_mode & stat.S_IRGRP for path in cache.rglob("*"))
    assert all(path.stat().st_gid == cache.stat().st_gid for path in cache.rglob("*"))
