"""DVC's own graph, read into plain values; nothing else in this package knows DVC's internals.

    stages = dag.read(root)              # every stage of dvc.yaml, upstreams first
    stages = dag.select(stages, ["report"])
    dag.survey(root).changes             # {"report": ["input all.txt was modified"], …}
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from flows import lock_file
from tasks.runtime.errors import InputError, instead

BUSY = "another DVC command works on it"
_UNSUPPORTED = re.compile(r"Unsupported value of type '(.+)' in '(.+?):(.+)'")  # DVC's words


@dataclass(frozen=True)
class Stage:
    """One stage as dvc.yaml has it, with matrix and parameters filled in.

    `name` is what DVC calls it on the command line (`finetune@a-values`), `group` the part before the `@`, and `item`
    what of the matrix it stands for (`{"model": "a", "arm": "values"}`).
    """

    name: str
    group: str
    upstreams: tuple[str, ...] = ()
    cmd: str = ""
    desc: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    item: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Survey:
    """A working tree's stages, upstreams first, and what is out of date: stage -> reasons in words. `changes` is None
    where DVC cannot tell, for the reason in `problem`."""

    root: Path
    stages: tuple[Stage, ...]
    changes: Mapping[str, list[str]] | None
    marks: Mapping[str, tuple[int, int]]
    problem: str = ""

    def holds(self, root: Path) -> bool:
        """Whether it is of `root`, whose graph, parameters and lock are still what they were."""
        return self.root == root and _marks(root) == self.marks

    def reasons(self) -> Mapping[str, list[str]]:
        """`changes`. Raises InputError where DVC cannot tell."""
        if self.changes is None:
            raise InputError(self.problem)
        return self.changes

    def unchanged(self) -> set[str]:
        """The stages that DVC need not look at: nothing has changed in them and in all that they depend on."""
        unchanged: set[str] = set()
        for stage in self.stages if self.changes is not None else ():
            if stage.name not in (self.changes or {}) and unchanged.issuperset(stage.upstreams):
                unchanged.add(stage.name)
        return unchanged


def find_root(start: Path) -> Path:
    """The working tree that holds `start`: the nearest folder with a dvc.yaml and a .dvc folder.

    Raises InputError where there is none.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / "dvc.yaml").is_file() and (folder / ".dvc").is_dir():
            return folder
    raise InputError(
        "not in a PALMS working tree: neither this folder nor one above it holds dvc.yaml and .dvc/; "
        "change to your clone, or run `git init && dvc init` beside dvc.yaml"
    )


def read(root: Path) -> tuple[Stage, ...]:
    """Every stage below `root` that has a command, each after its upstreams, otherwise by dvc.yaml's order.

    Raises InputError, in one line, for whatever DVC finds wrong in dvc.yaml or params.yaml, and for a
    parameter that a stage tracks but params.yaml lacks (a model of `sweep.models` that `models` has not).
    """
    with _repo(root) as repo:
        return _stages(root, repo)


def survey(root: Path) -> Survey:
    """The stages, and what `dvc status` finds out of date, in one reading of the graph, which takes seconds.

    Raises InputError as `read` does; where DVC cannot tell what is out of date, `problem` says why.
    """
    marks = _marks(root)
    with _repo(root) as repo:
        stages = _stages(root, repo)
        changes: dict[str, list[str]] = {}
        try:
            with _in_one_line(), repo.lock:  # `repo.status()` would read the graph once more
                for stage in repo.index.stages:
                    changes |= _changes(stage)
        except InputError as exc:
            return Survey(root, stages, None, marks, str(exc))
    return Survey(root, stages, changes, marks)


def _changes(stage: Any) -> dict[str, list[str]]:
    """What has changed in a stage, by its name; a stage that another DVC command works on has."""
    from dvc.lock import LockError

    try:
        found: dict[str, list[Any]] = stage.status(check_updates=True)
    except LockError:
        return {_name(stage): [BUSY]}
    return {
        _name(stage) if address == stage.addressing else address: [text for each in reasons for text in _in_words(each)]
        for address, reasons in found.items()
    }


def _marks(root: Path) -> dict[str, tuple[int, int]]:
    """Time and size of the files that say what the graph is."""
    files = [root / name for name in ("dvc.yaml", "params.yaml", lock_file.NAME)]
    stats = {file.name: file.stat() for file in files if file.exists()}
    return {name: (stat.st_mtime_ns, stat.st_size) for name, stat in stats.items()}


def _stages(root: Path, repo: Any) -> tuple[Stage, ...]:
    _require_paths(str(root), str(repo.cache.local.path))
    graph = repo.index.graph
    with_command = [stage for stage in repo.index.stages if stage.cmd]
    _require_params(with_command)
    items = _items(with_command)
    stages = {
        _name(stage): Stage(
            name=_name(stage),
            group=_name(stage).split("@")[0],
            upstreams=tuple(sorted(_name(up) for up in graph.successors(stage) if up.cmd)),
            cmd=stage.cmd if isinstance(stage.cmd, str) else "\n".join(stage.cmd),
            desc=stage.desc or "",
            meta=dict(stage.meta or {}),
            item=items.get(_name(stage), {}),
        )
        for stage in with_command
    }
    return tuple(_upstreams_first(stages))


def _items(stages: Iterable[Any]) -> dict[str, Mapping[str, str]]:
    """What of their matrix the stages stand for: a name alone (`probe@a-b-c`) does not tell."""
    files = {stage.path: stage for stage in stages if "@" in _name(stage)}  # each `dvcfile` reads its file anew
    return {
        f"{group}@{key}": {each: str(value) for each, value in item.items()}
        for stage in files.values()
        for group, definition in stage.dvcfile.resolver.definitions.items()
        for key, item in _members(definition).items()
    }


def _members(definition: Any) -> Mapping[str, Mapping[str, Any]]:
    from dvc.parsing import ForeachDefinition, MatrixDefinition

    if isinstance(definition, ForeachDefinition):
        return {key: {"key": key} for key in definition.normalized_iterable}
    return definition.normalized_iterable if isinstance(definition, MatrixDefinition) else {}


def select(stages: Iterable[Stage], targets: Iterable[str]) -> tuple[Stage, ...]:
    """The stages named by `targets` (`finetune@a-values`, or `finetune` for all of them) and their upstreams.

    No target means all. Raises InputError for a name that no stage has.
    """
    by_name = {stage.name: stage for stage in stages}
    wanted = [name for target in targets for name in _matching(target, by_name)] or list(by_name)
    chosen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name not in chosen:
            chosen.add(name)
            wanted.extend(by_name[name].upstreams)
    return tuple(stage for stage in by_name.values() if stage.name in chosen)


def places(root: Path) -> tuple[str, dict[str, str]]:
    """Where DVC's cache lies, run-cache and all, and the remotes that are folders of this machine, by name."""
    with _repo(root) as repo:
        remotes = {name: str(remote["url"]) for name, remote in repo.config["remote"].items()}
        return str(repo.cache.legacy.path), {name: url for name, url in remotes.items() if Path(url).is_absolute()}


def in_cache(root: Path, hashes: Iterable[str]) -> set[str]:
    """Those of the hashes of files and folders, as dvc.lock has them, whose content DVC's cache holds whole."""
    with _repo(root) as repo:
        return {md5 for md5 in set(hashes) if _is_whole(repo.cache.local, md5)}


def _is_whole(cache: Any, md5: str) -> bool:
    from dvc_data.hashfile import load
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_objects.errors import ObjectFormatError

    if not md5.endswith(".dir"):
        return bool(cache.exists(md5))
    try:
        listed: Any = load(cache, HashInfo("md5", md5))
    except (FileNotFoundError, ObjectFormatError):
        return False
    return all(cache.exists(each.value) for _, _, each in listed)


@contextmanager
def _repo(root: Path) -> Iterator[Any]:
    """DVC's view of `root`."""
    from dvc.repo import Repo

    with _in_one_line(), Repo(str(root)) as repo, _files_read_once():
        yield repo


@contextmanager
def _in_one_line() -> Iterator[None]:
    """DVC's complaints become one line; its own exceptions carry the cause in attributes, lines and chains."""
    from dvc.exceptions import DvcException

    try:
        yield
    except DvcException as exc:
        text = str(exc)
        if text.endswith("is not a git repository"):
            text += ", in which DVC works; a downloaded archive is none: run `git init` there, or clone the project"
        cause = exc.__cause__
        if cause is not None and str(cause) not in text:
            text += f": {cause}"
        raise InputError(" ".join(text.split())) from None
    except TypeError as exc:  # of a date, which YAML knows and DVC's templates do not
        if not (found := _UNSUPPORTED.fullmatch(str(exc))):
            raise
        kind, source, key = found.groups()
        raise InputError(f"{source}: {key}: DVC takes no {kind} here; write it in quotes") from None


@contextmanager
def _files_read_once() -> Iterator[None]:
    """DVC reads params.yaml anew for each stage that has parameters: with five models two thirds of `dvc status`."""
    from dvc.dependency import param

    load = param.load_path
    param.load_path = lru_cache(load)
    try:
        yield
    finally:
        param.load_path = load


def _require_paths(root: str, cache: str) -> None:
    """What DVC fails on only when a stage has done its work; it takes braces in its cache's path for a format's."""
    if set("{}") & set(cache):
        advice = "rename the folder, or choose another cache with `dvc cache dir --local`"
        raise InputError(f"{cache}: DVC cannot keep results in a path with braces; {advice}")
    if any("\udc80" <= character <= "\udcff" for character in root + cache):  # how Python holds such bytes
        raise InputError(f"{root}: DVC cannot work in a path that is not UTF-8; rename the folder")


def _name(stage: Any) -> str:
    """What DVC calls a stage in the root folder; its own `addressing` depends on the current one."""
    file, name = str(stage.path_in_repo), getattr(stage, "name", None)
    if not name:  # a .dvc file
        return file
    return str(name) if file == "dvc.yaml" else f"{file}:{name}"


def _require_params(stages: Iterable[Any]) -> None:
    """DVC draws a graph with parameters that do not exist, and fails only when their stage runs."""
    from dvc.dependency.param import ParamsDependency
    from dvc.utils.serialize import load_path

    files: dict[str, Any] = {}
    for stage in stages:
        for dep in stage.deps:
            if not isinstance(dep, ParamsDependency):
                continue
            if dep.fs_path not in files:
                files[dep.fs_path] = load_path(dep.fs_path, dep.fs) if dep.fs.exists(dep.fs_path) else {}
            for key in dep.params:
                _require_key(files[dep.fs_path], key, dep.def_path, _name(stage))


def _require_key(values: Any, key: str, file: str, stage: str) -> None:
    above = values
    parts = key.split("[")[0].split(".")  # a list index is DVC's to check
    for depth, part in enumerate(parts):
        if not isinstance(above, Mapping) or part not in above:
            absent = ".".join(parts[: depth + 1])
            known = above if isinstance(above, Mapping) else ()
            raise InputError(f"{file}: no '{absent}', which stage {stage} reads; {instead(part, known)}")
        above = above[part]


def _upstreams_first(stages: Mapping[str, Stage]) -> Iterator[Stage]:
    waiting = dict(stages)
    while waiting:
        ready = [stage for stage in waiting.values() if not any(up in waiting for up in stage.upstreams)]
        for stage in ready:
            del waiting[stage.name]
        yield from ready


def _matching(target: str, stages: Mapping[str, Stage]) -> list[str]:
    names = [stage.name for stage in stages.values() if target in (stage.name, stage.group)]
    if not names:
        known = dict.fromkeys([*stages, *(stage.group for stage in stages.values())])
        near = get_close_matches(target, known, n=3) or list(dict.fromkeys(s.group for s in stages.values()))
        raise InputError(f"no stage is called '{target}' in dvc.yaml; there is {', '.join(near)}")
    return names


def _in_words(reason: Any) -> Iterator[str]:
    """`{"changed deps": {"a.txt": "modified"}}` -> "input a.txt was modified"; DVC also has plain strings."""
    if not isinstance(reason, Mapping):
        yield str(reason)
        return
    kinds = {"changed deps": "input", "changed outs": "output"}
    for kind, items in reason.items():
        for path, what in items.items():
            if isinstance(what, Mapping):  # a parameter file: {"train.lr": "modified"}
                yield from (f"{path}: {key} {_was(state)}" for key, state in what.items())
            else:
                yield f"{kinds.get(kind, kind)} {path} {_was(what)}"


def _was(state: Any) -> str:
    texts = {"deleted": "is missing", "new": "is new", "not in cache": "is not in the cache"}
    return texts.get(str(state), f"was {state}")
