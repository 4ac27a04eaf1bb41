"""Where the results came from. Only this part of the page may depend on the clock and the machine."""

import contextlib
import hashlib
import importlib.metadata
import itertools
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from tasks.reporting.page.section import Results, Section
from tasks.runtime.durations import recorded, stage_name
from tasks.runtime.files import read_yaml
from tasks.runtime.units import duration
from tasks.settings.sweep import Sweep

GRAPH = Path("dvc.yaml")
PARAMS = Path("params.yaml")
WRITTEN = ("dvc.lock", "data/metrics.json", "data/cooccurrence.json", "data/looks.csv")  # by a sweep, not by people
PACKAGES = (
    "torch transformers accelerate deepspeed datasets pandas numpy scipy pingouin statsmodels matplotlib jinja2 dvc "
    "prefect palms"
)


def section(results: Results) -> Section:
    """Models, data, durations and machine, below the rest of the page."""
    study, job = results.study, results.job
    content = {
        "sources": models({model: study.sources[model] for model in study.models}),
        "data": data_hashes(job.path("datasets"), job.path("prompts"), study.sweep.tuned),
        "durations": durations(study.sweep),
        "machine": machine(),
    }
    return Section("provenance", "Provenance", "Provenance", content, footer=True)


def models(sources: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Each model: name, licence, where from, revision and hashes."""
    pins = ("requirement", "revision", "wheel_sha256", "file_sha256")
    return [
        {
            "model": model,
            "name": str(source["name"]),
            "licence": str(source["license"]),
            "parameters": f"{source['parameters']:,}",
            "source": str(source.get("source", "")),
            "pins": "; ".join(f"{key} {source[key]}" for key in pins if key in source),
            "weights": "; ".join(f"{name} {sha}" for name, sha in sorted(source.get("safetensors_sha256", {}).items())),
        }
        for model, source in sources.items()
    ]


def data_hashes(datasets: Path, prompts: Path, arms: Sequence[str]) -> list[tuple[str, str]]:
    """SHA-256 of every training set and prompt file."""
    files = [(f"training texts of {arm}", datasets / arm / "samples.jsonl") for arm in arms]
    files += [(f"{path.stem} prompts", path) for path in sorted(prompts.glob("*.yaml"))]
    return [(name, hashlib.sha256(path.read_bytes()).hexdigest()) for name, path in files]


def durations(sweep: Sweep) -> list[tuple[str, str, str]]:
    """(stage, how long its last run took in this working tree, when that ended) for the stages of the ladder, in
    dvc.yaml's order; but for the report, which is not done yet. Nothing where there is no graph to read."""
    chosen = {"${arms}": sweep.tuned, "${sweep.models}": sweep.models, "${sweep.tuned}": sweep.tuned}
    chosen |= {"${sweep.arms}": sweep.arms}
    last, rows = recorded(), []
    stages = read_yaml(GRAPH)["stages"] if GRAPH.is_file() else {}
    for stage, stanza in stages.items():
        lists = [stanza["foreach"]] if "foreach" in stanza else stanza.get("matrix", {}).values()
        for names in itertools.product(*(chosen.get(each, ()) if isinstance(each, str) else each for each in lists)):
            name = stage_name(stage, map(str, names))
            run = last.get(name)
            rows.append((name, duration(run.seconds), f"{run.at} UTC") if run else (name, "not recorded", ""))
    return [row for row in rows if row[0] != "report"]


def machine() -> list[tuple[str, str]]:
    """Date, code, Python, packages and hardware of the run that made the page; never its name or its folders."""
    processors = _facts(Path("/proc/cpuinfo"), "model name")
    drivers = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))  # importing torch would take seconds
    accelerators = [name for file in drivers for name in _facts(file, "Model")]
    facts = [
        ("made on", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("code", _commit()),
        ("params.yaml", _fixed(PARAMS)),
        ("system", f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"),
        ("processor", f"{processors[0] if processors else platform.machine()}, {os.cpu_count()} cores"),
        ("memory", f"{psutil.virtual_memory().total / 2**30:.0f} GiB"),
        ("accelerator", ", ".join(accelerators) or "none seen"),
        ("packages", ", ".join(f"{name} {version}" for name, version in _versions())),
    ]
    return [(name, value) for name, value in facts if value]


def _versions() -> list[tuple[str, str]]:
    versions = []
    for name in PACKAGES.split():
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append((name, importlib.metadata.version(name)))
    return versions


def made() -> list[str]:
    """Day and commit, for the head of the page."""
    commit, _, changed = _commit().removeprefix("commit ").partition(" ")
    day, code = datetime.now(UTC).strftime("%Y-%m-%d"), f"commit {commit[:8]}{' and changes' if changed else ''}"
    return [day, code] if commit else [day]


def _commit() -> str:
    """The commit of the working tree, and whether people changed something in it; empty outside a repository."""
    head = _git("rev-parse", "HEAD")
    others = (f":(exclude,top){path}" for path in WRITTEN)
    changed = head and _git("status", "--porcelain", "--untracked-files=no", "--", ":(top)", *others)
    return head and f"commit {head}{' with uncommitted changes' if changed else ''}"


def _fixed(path: Path) -> str:
    """The commit and day since which a file is as it is; empty outside a repository."""
    if _git("status", "--porcelain", "--", f":(top){path}"):
        return "changed since the last commit"
    last = _git("log", "-1", "--format=%H of %cs", "--", f":(top){path}")
    return f"as it is since commit {last}" if last else ""


def _git(*arguments: str) -> str:
    """What git says; empty where it says nothing, is not there, or there is no repository."""
    try:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _facts(file: Path, key: str) -> list[str]:
    """What stands behind `key:` in a file of the kernel's, which other systems lack."""
    with contextlib.suppress(OSError):
        return re.findall(rf"^{key}\s*:\s*(.+)$", file.read_text("utf-8", "replace"), re.MULTILINE)
    return []
