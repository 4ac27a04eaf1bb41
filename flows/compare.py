"""`palms compare A B`: two finished sweeps side by side: what differed in parameters, texts and code; what was found.

A side is a folder, a git revision or the name of a DVC experiment. What it needs is in git: params.yaml, the texts and
data/metrics.json; so two commits can be compared that nothing was ever pulled of.
"""

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML

from flows import lock_file
from flows.workspace import commit_of
from tasks.runtime import terminal
from tasks.runtime.errors import InputError

METRICS = "data/metrics.json"
CONFIDENCE = 0.95  # where params.yaml names none
NAMED = 4  # entries or files that a line names
ABSENT = "absent"
PARAMS = ("params.yaml", "A", "B")
FINDINGS = ("metric", "model", "difference", "A (interval)", "B (interval)", "change")
LEFT_OUT = ("studies", "tune", "resources")  # which decide nothing of this sweep
UNREAD = ("data/examples/", "data/looks.csv", "data/made/")  # what no result follows from
TEXTS = ("samples", "prompts", "families")  # what lists entries in the files that people write
Test = tuple[str, str, str]  # metric or task, model, contrast
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Side:
    """A sweep: its name, and its files by name, whether they lie in a folder or in git."""

    name: str
    files: frozenset[str]
    read: Callable[[str], str]


@dataclass(frozen=True)
class Figure:
    """A difference with its interval; p is corrected, None where it is not in the metrics. `confidence` is that of the
    sweep's tests."""

    diff: float
    low: float
    high: float
    p: float | None
    confidence: float = CONFIDENCE

    def __str__(self) -> str:
        p = "" if self.p is None else f", p {self.p:.3f}"
        return f"{self.diff:+.3f} ({self.low:+.3f} to {self.high:+.3f}{p})".replace("-", "−")

    @property
    def found(self) -> bool:
        """Whether it is told from zero: by the corrected test, or else by its interval."""
        return self.p <= 1 - self.confidence if self.p is not None else not self.low <= 0 <= self.high


@dataclass(frozen=True)
class Finding:
    """One test, in both sweeps; None where one has it not."""

    metric: str
    model: str
    contrast: str
    a: Figure | None
    b: Figure | None

    @property
    def change(self) -> str:
        """What became of the finding from a to b, in words."""
        if self.a is None or self.b is None:
            return "only in B" if self.b else "only in A"
        if self.a == self.b:
            return "the same"
        if self.a.found and self.b.found:
            turned = (self.a.diff > 0) != (self.b.diff > 0)
            return "found in both, and turned round" if turned else "found in both"
        return "found in A only" if self.a.found else "found in B only" if self.b.found else "found in neither"


@dataclass(frozen=True)
class Compared:
    """Two sweeps: `params` (key, value in a, value in b) and `texts` hold what differs, `findings` every test."""

    a: str
    b: str
    params: Sequence[tuple[str, str, str]]
    texts: Sequence[str]
    findings: Sequence[Finding]


def compare(root: Path, a: str, b: str) -> Compared:
    """Raises InputError for what is neither a folder nor a revision nor an experiment, or holds no finished sweep."""
    left, right = side(root, a, "A"), side(root, b, "B")
    params = [YAML(typ="safe").load(each.read("params.yaml")) for each in (left, right)]
    findings = _findings(*(_figures(each, _confidence(own)) for each, own in zip((left, right), params, strict=True)))
    return Compared(a, b, list(_params(*params)), list(_texts(left, right)), list(findings))


def side(root: Path, name: str, role: str) -> Side:
    """The sweep of that name: a folder, else a revision of the git repository in `root`, else an experiment there.

    `role` is what it is called in messages.
    """
    folder, advice = Path(name), "run `palms sweep` there"
    if folder.is_dir():
        listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard") or "".join(
            f"{path.relative_to(folder).as_posix()}\0" for path in folder.rglob("*") if path.is_file()
        )
        files = {file for file in listed.split("\0") if file and (folder / file).is_file()}
        found = Side(name, frozenset(files), lambda file: (folder / file).read_text("utf-8"))
    else:
        commit = _commit(root, name)
        if (root / METRICS).exists():
            advice = f"the one of this folder is not committed in it: commit {lock_file.NAME} and {METRICS} first"
        files = set((_git(root, "ls-tree", "-r", "-z", "--name-only", "--full-tree", commit) or "").split("\0"))
        found = Side(name, frozenset(files), lambda file: _git(root, "show", f"{commit}:{file}") or "")
    for needed in ("params.yaml", METRICS):
        if needed not in found.files:
            raise InputError(f"{role}, which is {name}, has no finished sweep: no {needed} there; {advice}")
    return found


def _commit(root: Path, name: str) -> str:
    if commit := commit_of(root, name):
        return commit
    refs = (_git(root, "for-each-ref", "--format=%(refname)", "refs/exps") or "").split()
    if found := [ref for ref in refs if ref.rpartition("/")[2] == name]:
        return found[-1]
    raise InputError(f"{name}: neither a folder, nor a git revision, nor an experiment (`dvc exp list --all-commits`)")


def _git(folder: Path, *command: str) -> str | None:
    done = subprocess.run(["git", *command], cwd=folder, capture_output=True, check=False)
    return None if done.returncode else done.stdout.decode("utf-8", errors="replace")


def _params(left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The keys of params.yaml that differ, but for catalogue entries that neither sweep chose."""
    chosen = {key: {name for params in (left, right) for name in _chosen(params, key)} for key in ("models", "arms")}
    flat = [dict(_flat(params)) for params in (left, right)]
    for key in sorted(flat[0].keys() | flat[1].keys()):
        section, _, rest = key.partition(".")
        if section in LEFT_OUT or (section in chosen and rest.split(".")[0] not in chosen[section]):
            continue
        values = [json.dumps(each[key], ensure_ascii=False, default=str) if key in each else ABSENT for each in flat]
        if values[0] != values[1]:
            yield key, values[0], values[1]


def _chosen(params: Mapping[str, Any], catalogue: str) -> Sequence[str]:
    names: Sequence[str] = (params.get("sweep") or {}).get({"models": "models", "arms": "tuned"}[catalogue]) or ()
    return names


def _flat(values: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(values, Mapping) and values:
        for name, value in values.items():
            yield from _flat(value, f"{key}.{name}" if key else str(name))
    else:
        yield key, values


def _texts(a: Side, b: Side) -> Iterator[str]:
    """What differs in the texts, by entry, and in the code, by file."""
    names = sorted(
        name
        for name in a.files | b.files
        if name.startswith("data/") and name.endswith((".yaml", ".jsonl", ".csv")) and not name.startswith(UNREAD)
    )
    changed = [name for name in names if _text(a, name) != _text(b, name)]
    for folder in dict.fromkeys(name.rpartition("/")[0] for name in changed):
        of_folder = [name for name in changed if name.rpartition("/")[0] == folder]
        left, right = ({k: v for name in of_folder for k, v in _entries(name, each)} for each in (a, b))
        parts = {
            "only in A": [key for key in left if key not in right],
            "only in B": [key for key in right if key not in left],
            "changed": [key for key in left if key in right and left[key] != right[key]],
        }
        words = "; ".join(f"{len(keys)} {what} ({_named(keys)})" for what, keys in parts.items() if keys)
        yield f"{folder}: {words or 'comments or layout only'}"
    code = sorted(name for name in a.files | b.files if name.startswith("tasks/") or name == "dvc.yaml")
    if edited := [name for name in code if _text(a, name) != _text(b, name)]:
        yield f"code: {len(edited)} files ({_named(edited)})"


def _text(side: Side, name: str) -> str | None:
    return side.read(name) if name in side.files else None


def _entries(name: str, side: Side) -> Iterator[tuple[str, Any]]:
    """The entries of a file of texts by their ids, and what it says beside them; of any other file, itself."""
    text = _text(side, name)
    if text is None:
        return
    content: Any = text
    if name.endswith(".yaml"):
        with contextlib.suppress(yaml.YAMLError):
            content = yaml.load(text, _Loader)
    lists = [content[key] for key in TEXTS if isinstance(content, dict) and isinstance(content.get(key), list)]
    listed = lists[0] if lists else []
    ids = [entry for entry in listed if isinstance(entry, dict) and "id" in entry]
    yield from ((str(entry["id"]), entry) for entry in ids)
    rest = {k: v for k, v in content.items() if v is not listed} if ids else content
    yield name.rpartition("/")[2], rest


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f", and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _findings(left: Mapping[Test, Figure], right: Mapping[Test, Figure]) -> Iterator[Finding]:
    for key in dict.fromkeys([*left, *right]):
        yield Finding(*key, left.get(key), right.get(key))


def _confidence(params: Mapping[str, Any]) -> float:
    return float((params.get("significance") or {}).get("confidence", CONFIDENCE))


def _figures(side: Side, confidence: float) -> dict[Test, Figure]:
    found = {}
    for key, values in _tests(json.loads(side.read(METRICS))):
        low, high = (values.get(f"ci_{end}", values.get(f"ci90_{end}")) for end in ("lo", "hi"))
        if values.get("diff") is not None and low is not None and high is not None:
            found[key] = Figure(values["diff"], low, high, values.get("p_corr"), confidence)
    return found


def _tests(metrics: Mapping[str, Any]) -> Iterator[tuple[Test, Mapping[str, Any]]]:
    """What data/metrics.json says of each test."""
    for metric, models in metrics.items():
        for model, contrasts in models.items():
            for contrast, figures in contrasts.items():
                if metric != "capability":
                    yield (metric, model, contrast.replace("_minus_", " − ")), figures
                    continue
                for task, of_task in figures.items():
                    yield (task, model, f"{contrast} − base"), of_task


def lines(found: Compared, width: int | None) -> list[str]:
    """The comparison for a terminal of `width` columns."""
    rows = [(f.metric, f.model, f.contrast, str(f.a or "–"), str(f.b or "–"), f.change) for f in found.findings]
    return [
        f"A: {found.a}",
        f"B: {found.b}",
        "",
        *(terminal.table(PARAMS, found.params, width) if found.params else ["params.yaml: the same"]),
        "",
        *(found.texts or ["texts and code: the same"]),
        "",
        *terminal.table(FINDINGS, rows, width),
        "",
        NOTE,
    ]


NOTE = (
    "Found: p ≤ .05 after correction, or, of capability, an interval without zero. Whether A and B differ from each "
    "other is not tested: one found and one not is no difference by itself, so look at the intervals."
)
