"""A working tree of its own for a sweep with other parameters, so that nobody's own tree is touched.

It lies in `.cache/sweeps/<name>` of the tree that it is made from: a clone with the files as they are there now,
committed or not, that shares its DVC cache, so that nothing is made twice. When it is made again it takes over what has
changed since, and keeps what its own stages made. The tree of a deployed run is a clone of a commit instead: nobody's
half-written file gets into it. A finished sweep is kept as a DVC experiment of its name.
"""

import contextlib
import filecmp
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from flows import dag, lock_file, tree_lock
from tasks.runtime.config import PARAMS_FILE, read_params
from tasks.runtime.errors import InputError, WorkError, instead
from tasks.runtime.files import cache_folder

FOLDER = Path(".cache/sweeps")
_DEPLOYED = Path(".dvc/tmp/deployed")  # marks the tree of a deployed run, and says `_SAVED` when nothing needs it
_SAVED = "saved"
_KEEP, _KEEP_UNSAVED = 3, 10  # trees of deployed runs that stay to be looked at
_NOBODY = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER")
           for key, value in (("NAME", "palms"), ("EMAIL", "palms@localhost"))}  # who has no git identity


def make(root: Path, name: str, overrides: Mapping[str, Any]) -> Path:
    """The tree `name` of `root`, where params.yaml has `overrides` (by dotted key).

    Raises InputError for a key that params.yaml has not, and where git has no commit.
    """
    if not commit_of(root, "HEAD"):
        raise InputError(f"{root}: a sweep in a tree of its own starts from a git commit; run `git commit` once")
    tree = root / FOLDER / name
    text = _overridden(root / PARAMS_FILE, overrides)
    if not (tree / ".git").is_dir():
        _clone(root, tree)
    _copy_changes(root, tree)
    _write_params(tree, text)
    return tree


def make_at(root: Path, name: str, commit: str, overrides: Mapping[str, Any]) -> Path:
    """The tree `name` of `root` as that is in `commit`, with `overrides`: for a run that nobody starts by hand.

    If it is there, for its run was started before, it keeps what it made. Raises InputError for a key that params.yaml
    has not.
    """
    tree = root / FOLDER / name
    if (tree / ".git").is_dir():
        _run(tree, "git", "checkout", "--quiet", commit, "--", str(PARAMS_FILE))
    else:
        _clone(root, tree, commit)
    mark = tree / _DEPLOYED
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text("", "utf-8")
    _write_params(tree, _overridden(tree / PARAMS_FILE, overrides))
    return tree


def params_at(root: Path, commit: str) -> dict[str, Any]:
    """What params.yaml has in a commit. Raises WorkError where there is none, InputError where it is no mapping."""
    params = YAML(typ="safe").load(_run(root, "git", "show", f"{commit}:{PARAMS_FILE}"))
    if not isinstance(params, dict):
        raise InputError(f"{PARAMS_FILE} of commit {commit[:7]} holds no keys")
    return params


def check(root: Path, overrides: Mapping[str, Any]) -> None:
    """Raises InputError for a key that the params.yaml of `root` has not."""
    _overridden(root / PARAMS_FILE, overrides)


def check_keys(params: Any, overrides: Mapping[str, Any]) -> None:
    """Raises InputError for a key that these parameters have not."""
    for key in overrides:
        _section(params, key)


def _write_params(tree: Path, params: Any) -> None:
    with (tree / PARAMS_FILE).open("w", encoding="utf-8") as file:
        plain_yaml().dump(params, file)


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


def remove_old(root: Path) -> None:
    """Removes the trees of deployed runs but for the newest few, more of those whose result is not kept elsewhere. What
    their stages made is in the cache."""
    newest = sorted((root / FOLDER).glob(f"*/{_DEPLOYED}"), key=lambda mark: mark.stat().st_mtime, reverse=True)
    saved = [mark for mark in newest if mark.read_text("utf-8") == _SAVED]
    unsaved = [mark for mark in newest if mark not in saved]
    for mark in (*saved[_KEEP:], *unsaved[_KEEP_UNSAVED:]):
        tree = mark.parents[len(_DEPLOYED.parts) - 1]
        with contextlib.suppress(InputError):  # a sweep works in it
            tree_lock.tidy(tree)
            shutil.rmtree(tree, ignore_errors=True)


def keep(root: Path, tree: Path) -> str:
    """Keeps the finished sweep of `tree` as the DVC experiment of its name, which `dvc exp show` lists in `root`."""
    name = tree.name
    _run(tree, sys.executable, "-m", "dvc", "exp", "save", "--quiet", "--force", "--name", name)
    refs = _run(tree, "git", "for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
    ref = next(ref for ref in refs if ref.endswith(f"/{name}"))
    _run(tree, "git", "push", "--quiet", "--force", str(root), f"{ref}:{ref}")
    return name


def finish(root: Path, tree: Path, say: Callable[[str], None], *, with_push: bool) -> str:
    """Keeps the finished sweep of `tree`, and pushes it where that is asked for and a remote is set; says so. A push
    that fails is told and loses nothing. Returns the experiment's name."""
    name = keep(root, tree)
    say(f"experiment {name}: `palms compare {name} .`, `dvc exp apply {name}`; its tree is {tree.relative_to(root)}")
    try:
        if with_push and (pushed := push(root, tree)):
            say(f"pushed {' and '.join(pushed)}")
    except WorkError as exc:
        say(f"warning: not pushed, for {exc}; later: `cd {tree.relative_to(root)} && dvc push --run-cache`")
        return name
    if (tree / _DEPLOYED).exists():
        (tree / _DEPLOYED).write_text(_SAVED, "utf-8")
    return name


def push(root: Path, tree: Path) -> list[str]:
    """Pushes what the sweep of `tree` made to the default DVC remote, so that others restore it without running a
    stage, and its experiment to the git remote `origin` of `root`. Returns what was pushed, nothing without a DVC
    remote. Raises WorkError for one that cannot be reached."""
    remote = _run(tree, sys.executable, "-m", "dvc", "config", "core.remote")
    if not remote:
        return []
    _run(tree, sys.executable, "-m", "dvc", "push", "--quiet", "--run-cache")
    pushed = [f"its files to the DVC remote '{remote}'"]
    if "origin" in _run(root, "git", "remote").split():
        _run(root, sys.executable, "-m", "dvc", "exp", "push", "--quiet", "--no-cache", "--force", "origin", tree.name)
        pushed.append("the experiment to the git remote 'origin'")
    return pushed


def _overridden(path: Path, overrides: Mapping[str, Any]) -> Any:
    """params.yaml, comments and all, with other values."""
    read_params(path)
    params: Any = plain_yaml().load(path.read_text("utf-8"))
    for key, value in overrides.items():
        _section(params, key)[key.split(".")[-1]] = laid_out(value)
    return params


def _section(params: Any, key: str) -> Any:
    """The section that holds the dotted key. Raises InputError where none does."""
    section, parts = params, key.split(".")
    for depth, part in enumerate(parts):
        if not isinstance(section, dict) or part not in section:
            known = [".".join([*parts[:depth], str(name)]) for name in section] if isinstance(section, dict) else ()
            raise InputError(f"{PARAMS_FILE} has no '{key}'; {instead('.'.join(parts[: depth + 1]), known)}")
        above, section = section, section[part]
    return above


def plain_yaml() -> YAML:
    """Reads and writes YAML that stays, by and large, as its writer laid it out."""
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    yaml.representer.add_representer(type(None), lambda of, _: of.represent_scalar("tag:yaml.org,2002:null", "null"))
    return yaml


def laid_out(value: Any) -> Any:
    """The value, written in one line: [a, b] and {a: b}."""
    if not isinstance(value, list | dict):
        return value
    made: Any = CommentedSeq(value) if isinstance(value, list) else CommentedMap(value)
    made.fa.set_flow_style()
    return made


def commit_of(root: Path, revision: str) -> str:
    """The commit that a revision of git names, "" if it names none."""
    command = ["git", "rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False).stdout.strip()


def _clone(root: Path, tree: Path, commit: str | None = None) -> None:
    """A clone that shares the DVC cache of `root`: with the files of `commit`, or else with none and with its lock."""
    made = tree.with_name(f"{tree.name}.tmp")
    shutil.rmtree(made, ignore_errors=True)
    made.parent.mkdir(parents=True, exist_ok=True)
    _run(root, "git", "clone", "--quiet", "--shared", "--no-checkout", str(root), str(made))
    if commit:
        _run(made, "git", "checkout", "--quiet", "--detach", commit)
    (made / ".dvc").mkdir(exist_ok=True)
    for name in ("config.local",) if commit else ("config", "config.local"):
        if (root / ".dvc" / name).exists():
            shutil.copy2(root / ".dvc" / name, made / ".dvc" / name)
    cache, remotes = dag.places(root)
    _run(made, sys.executable, "-m", "dvc", "cache", "dir", "--local", cache)
    for remote, url in remotes.items():  # a relative path in the copied file would be one of the clone
        _run(made, sys.executable, "-m", "dvc", "remote", "add", "--quiet", "--force", "--local", remote, url)
    if (root / lock_file.NAME).exists() and not commit:
        shutil.copy2(root / lock_file.NAME, made / lock_file.NAME)
    made.replace(tree)


def _copy_changes(root: Path, tree: Path) -> None:
    """Makes the files of `tree` those of `root`, but for what its stages make."""
    _run(tree, "git", "fetch", "--quiet", str(root), "HEAD")
    _run(tree, "git", "reset", "--quiet", "FETCH_HEAD")
    wanted, own = _files(root), {lock_file.NAME, *(path for made in lock_file.outs(tree).values() for path in made)}
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


def _run(folder: Path, *command: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(command, cwd=folder, env=_NOBODY | environ, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        told = lines[-1] if lines else f"exit code {done.returncode}"
        raise WorkError(f"{' '.join(Path(part).name for part in command[:4])} in {folder}: {told}")
    return done.stdout.strip()
