"""`palms status`: in one screen what is done, running, out of date or missing, why, and how long the rest takes."""

import os
import time
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from flows import dag, lock_file, tree_lock, workspace
from flows.dag import Stage, Survey
from flows.schedule import makespan, usual_seconds
from flows.slots import Needs, Slots
from tasks.runtime import terminal
from tasks.runtime.launchers.files import FOLDER as JOBS
from tasks.runtime.launchers.files import Holder
from tasks.runtime.units import duration

KINDS = ("done", "running", "stale", "missing")
NEVER = "never ran"
_MOST_REASONS = 12  # lines of reasons: a screen has some forty
_NAMED = 3  # stages that a reason names


@dataclass(frozen=True)
class Run:
    """A stage at work: since how many seconds, and under which job's name, if it is a job."""

    seconds: float
    job: str = ""


def screen(
    root: Path, targets: Iterable[str] = (), width: int | None = None, found: Survey | None = None
) -> list[str]:
    """The lines of the screen, for `targets` (none: all stages) and what they need, on a terminal of `width` columns.
    `found` is what a look at `root` has found just now.

    Raises InputError where DVC cannot tell what is out of date, and for a target that is no stage.
    """
    survey, holder = found or dag.survey(root), tree_lock.running(root)
    survey = replace(survey, stages=dag.select(survey.stages, targets))
    lines = [f"a sweep is running: {holder}"] if holder else []
    lines += [f"a sweep is running in {tree}: {who}" for tree, who in sweeps_beside(root)]
    if holder and survey.changes is None:  # it holds DVC's lock for a moment
        return [*lines, survey.problem]
    running = running_stages(root, holder.at_work if holder else {})
    kinds = kinds_of(survey, running)
    rest = usual_seconds([stage for stage in survey.stages if kinds[stage.name] != "done"])
    lines += [*table(survey.stages, kinds, rest, width), *_at_work(running, rest)]
    lines += reasons(survey, kinds, _ran(root, kinds))
    return [*lines, *_ending(survey, kinds, rest, running)]


def kinds_of(survey: Survey, running: Mapping[str, Run]) -> dict[str, str]:
    """Stage -> one of `KINDS`: missing has no output yet, stale is out of date or follows one that is not done."""
    unchanged, changes = survey.unchanged(), survey.reasons()

    def kind(name: str) -> str:
        if name in running:
            return "running"
        if name in unchanged:
            return "done"
        gone = any(reason.startswith("output ") and reason.endswith(" is missing") for reason in changes.get(name, []))
        return "missing" if gone else "stale"

    return {stage.name: kind(stage.name) for stage in survey.stages}


def running_stages(root: Path, at_work: Mapping[str, float]) -> dict[str, Run]:
    """The stages that a sweep runs in `root` now: `at_work` says when each began."""
    holders = [holder for folder in (root / JOBS).glob("*") if (holder := Holder.read(folder))]
    jobs = {holder.name.rpartition(".")[0]: holder.name for holder in holders}
    return {name: Run(time.time() - began, jobs.get(name, "")) for name, began in at_work.items()}


def table(
    stages: Sequence[Stage], kinds: Mapping[str, str], rest: Mapping[str, float | None], width: int | None = None
) -> list[str]:
    """A line a group of stages: how many are of which kind, and the time that the rest takes one after the other."""
    groups: dict[str, list[str]] = defaultdict(list)
    for stage in stages:
        groups[stage.group].append(stage.name)
    rows = []
    for group, names in groups.items():
        counts = Counter(kinds[name] for name in names)
        known = [seconds for name in names if (seconds := rest.get(name)) is not None]
        left = duration(sum(known)) if known else "" if counts["done"] == len(names) else "not timed yet"
        rows.append((group, *(str(counts[kind] or "-") for kind in KINDS), left))
    return terminal.table(("stage", *KINDS, "work left"), rows, width)


def _at_work(running: Mapping[str, Run], rest: Mapping[str, float | None]) -> list[str]:
    def line(name: str, run: Run) -> str:
        usual = rest.get(name)
        of = f" of about {duration(usual)}" if usual is not None else ""
        return f"running: {name}, for {duration(run.seconds)}{of}{f', job {run.job}' if run.job else ''}"

    return [line(name, run) for name, run in running.items()]


def sweeps_beside(root: Path) -> Iterator[tuple[Path, tree_lock.Holder]]:
    """The sweeps that work now in trees of their own that were made of `root`, deployed or not, with their trees."""
    for tree in sorted((root / workspace.FOLDER).glob("*")):
        if (tree / tree_lock.NOTE).exists() and (who := tree_lock.running(tree)):
            yield tree.relative_to(root), who


def _ran(root: Path, names: Iterable[str]) -> Container[str]:
    """The stages that have run; all, at the moment in which a running sweep is writing dvc.lock."""
    try:
        return lock_file.outs(root).keys()
    except (yaml.YAMLError, AttributeError):
        return set(names)


def reasons(survey: Survey, kinds: Mapping[str, str], ran: Container[str]) -> list[str]:
    """Why stages are out of date: a line a reason, with the stages that have it. One that is not among those that
    `ran` has no other reason: DVC calls all that it reads modified."""
    having: dict[str, list[str]] = defaultdict(list)
    for stage in survey.stages:
        if kinds[stage.name] in ("stale", "missing"):
            found = survey.reasons().get(stage.name, []) or ["waits for others of these"]
            for reason in found if stage.name in ran or ":" in stage.name else [NEVER]:
                having[reason].append(stage.name)
    lines = [f"{reason}: {_some(names)}" for reason, names in having.items()]
    cut = [f"and {len(lines) - _MOST_REASONS} further reasons: `dvc status`"] if len(lines) > _MOST_REASONS else []
    return [*lines[:_MOST_REASONS], *cut]


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _ending(
    survey: Survey,
    kinds: Mapping[str, str],
    rest: Mapping[str, float | None],
    running: Mapping[str, Run],
) -> list[str]:
    left = [stage for stage in survey.stages if kinds[stage.name] != "done"]
    if not left:
        return ["all stages are up to date"]
    lines = [f"{len(left)} of {len(survey.stages)} stages are out of date"]
    known = {name: seconds for name, seconds in rest.items() if seconds is not None}
    known |= {name: max(0.0, known[name] - run.seconds) for name, run in running.items() if name in known}
    if known:
        untimed = len(left) - len(known)
        more = f", without {untimed} that were never timed" if untimed else ""
        needs = Needs.of(left, survey.root)
        seconds = makespan(left, known, Slots.of_this_machine(os.environ, needs.at_once), needs)
        lines.append(f"the rest should take about {duration(seconds)}, by what it took before{more}")
    return lines
