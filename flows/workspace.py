"""A working tree of its own for a sweep with other parameters, so that nobody's own tree is touched.

It lies in `.cache/sweeps/<name>` of the tree that it is made from: a clone with the files as they are there now,
committed or not, that shares its DVC cache, so that nothing is made twice. When it is made again it takes over what has
changed since, and keeps what its own stages made. A finished sweep is kept as a DVC experiment of its name.
"""

import filecmp
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from flows import tree_lock
from tasks.runtime.config import PARAMS_FILE, read_params
from tasks.runtime.errors import InputError, WorkError
from tasks.runtime.files import cache_folder, read_yaml

FOLDER = Path(".cache/sweeps")
LOCK = Path("dvc.lock")
_NOBODY = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER")
           for key, value in (("NAME", "palms"), ("EMAIL", "palms@localhost"))}  # who has no git identity


def make(root: Path, name: str, overrides: Mapping[str, Any]) -> Path:
    """The tree `name` of `root`, where params.yaml has `overrides` (by dotted key).

    Raises InputError for a key that params.yaml has not, and where git has no commit.
    """
    if not _has_commit(root):
        raise InputError(f"{root}: a sweep in a tree of its own starts from a git commit; run `git commit` once")
    tree = root / FOLDER / name
    text = _overridden(root / PARAMS_FILE, overrides)
    if not (tree / ".git").is_dir():
        _clone(root, tree)
    _copy_changes(root, tree)
    with (tree / PARAMS_FILE).open("w", encoding="utf-8") as file:
        plain_yaml().dump(text, file)
    return tree


def enter(root: Path, name: str, overrides: Mapping[str, Any]) -> Path:
    """Makes the tree `name` and changes to it; what outlives a run, such as stored toxicity scores, stays that of
    `root`. Raises InputError where a sweep works in it now."""
    if (root / FOLDER / name).exists():
        tree_lock.tidy(root / FOLDER / name)
    os.environ["PALMS_CACHE"] = str((root / cache_folder()).resolve())
    tree = make(root, name, overrides)
    os.chdir(tree)
    print(f"working in {tree.relative_to(root)}", flush=True)
    return tree


def keep(root: Path, tree: Path) -> str:
    """Keeps the finished sweep of `tree` as the DVC experiment of its name, which `dvc exp show` lists in `root`."""
    name = tree.name
    _run(tree, sys.executable, "-m", "dvc", "exp", "save", "--quiet", "--force", "--name", name)
    refs = _run(tree, "git", "for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
    ref = next(ref for ref in refs if ref.endswith(f"/{name}"))
    _run(tree, "git", "push", "--quiet", "--force", str(root), f"{ref}:{ref}")
    return name


def _overridden(path: Path, overrides: Mapping[str, Any]) -> Any:
    """params.yaml, comments and all, with other values."""
    read_params(path)
    params: Any = plain_yaml().load(path.read_text("utf-8"))
    for key, value in overrides.items():
        *above, last = key.split(".")
        section: Any = params
        for part in above:
            section = section.get(part) if isinstance(section, dict) else None
        if not isinstance(section, dict) or last not in section:
            raise InputError(f"{path.name} has no '{key}'; name an entry that is there, such as sweep.models")
        section[last] = laid_out(value)
    return params


def plain_yaml() -> YAML:
    """Reads and writes YAML that stays, by and large, as its writer laid it out."""
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    return yaml


def laid_out(value: Any) -> Any:
    """The value, written in one line: [a, b] and {a: b}."""
    if not isinstance(value, list | dict):
        return value
    made: Any = CommentedSeq(value) if isinstance(value, list) else CommentedMap(value)
    made.fa.set_flow_style()
    return made


def _has_commit(root: Path) -> bool:
    command = ["git", "rev-parse", "--quiet", "--verify", "HEAD"]
    return not subprocess.run(command, cwd=root, capture_output=True, check=False).returncode


def _clone(root: Path, tree: Path) -> None:
    """An empty clone at the commit of `root` that shares its DVC cache."""
    made = tree.with_name(f"{tree.name}.tmp")
    shutil.rmtree(made, ignore_errors=True)
    made.parent.mkdir(parents=True, exist_ok=True)
    _run(root, "git", "clone", "--quiet", "--shared", "--no-checkout", str(root), str(made))
    (made / ".dvc").mkdir()
    for name in ("config", "config.local"):
        if (root / ".dvc" / name).exists():
            shutil.copy2(root / ".dvc" / name, made / ".dvc" / name)
    cache = _run(root, sys.executable, "-m", "dvc", "cache", "dir")
    _run(made, sys.executable, "-m", "dvc", "cache", "dir", "--local", cache)
    if (root / LOCK).exists():
        shutil.copy2(root / LOCK, made / LOCK)
    made.replace(tree)


def _copy_changes(root: Path, tree: Path) -> None:
    """Makes the files of `tree` those of `root`, but for what its stages make."""
    _run(tree, "git", "fetch", "--quiet", str(root), "HEAD")
    _run(tree, "git", "reset", "--quiet", "FETCH_HEAD")
    wanted, own = _files(root), {LOCK.as_posix(), *_outs(tree)}
    for name in wanted:
        source, copy = root / name, tree / name
        if not copy.exists() or (name not in own and not filecmp.cmp(source, copy)):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)
    for name in _files(tree) - wanted - own:  # now that .gitignore is there
        (tree / name).unlink()


def _files(tree: Path) -> set[str]:
    """The files that git tracks or does not ignore, and that are there."""
    listed = _run(tree, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return {name for name in listed.split("\0") if name and (tree / name).is_file()}


def _outs(tree: Path) -> set[str]:
    """What the stages of `tree` have made, by its lock."""
    stages = (read_yaml(tree / LOCK) or {}).get("stages", {}) if (tree / LOCK).exists() else {}
    return {str(out["path"]) for stage in stages.values() for out in stage.get("outs", [])}


def _run(folder: Path, *command: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(command, cwd=folder, env=_NOBODY | environ, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        told = lines[-1] if lines else f"exit code {done.returncode}"
        raise WorkError(f"{' '.join(Path(part).name for part in command[:4])} in {folder}: {told}")
    return done.stdout.strip()
