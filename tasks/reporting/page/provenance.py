"""Where the results came from. Only this part of the page may depend on the clock and the machine."""

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

from tasks.runtime.durations import recorded, stage_name
from tasks.runtime.errors import InputError
from tasks.runtime.files import read_yaml
from tasks.settings.sweep import Sweep

PACKAGES = (
    "torch",
    "transformers",
    "accelerate",
    "deepspeed",
    "datasets",
    "pandas",
    "numpy",
    "scipy",
    "pingouin",
    "statsmodels",
    "matplotlib",
    "jinja2",
    "dvc",
    "prefect",
    "palms",
)
GRAPH = Path("dvc.yaml")


def models(sources: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Each model's base model: name, licence, where from, revision and hashes."""
    rows = []
    for model, source in sources.items():
        weights = source.get("safetensors_sha256", {})
        pins = {key: source[key] for key in ("requirement", "revision", "wheel_sha256", "file_sha256") if key in source}
        rows.append(
            {
                "model": model,
                "name": str(source["name"]),
                "licence": str(source["license"]),
                "parameters": f"{source['parameters']:,}",
                "source": str(source.get("source", "")),
                "pins": "; ".join(f"{key} {value}" for key, value in pins.items()),
                "weights": "; ".join(f"{name} {digest}" for name, digest in sorted(weights.items())),
            }
        )
    return rows


def data_hashes(datasets: Path, prompts: Path, arms: Sequence[str]) -> list[tuple[str, str]]:
    """SHA-256 of every training set and prompt file."""
    files = [(f"training texts of {arm}", datasets / arm / "samples.jsonl") for arm in arms]
    files += [(f"{path.stem} prompts", path) for path in sorted(prompts.glob("*.yaml"))]
    return [(name, hashlib.sha256(path.read_bytes()).hexdigest()) for name, path in files]


def durations(sweep: Sweep) -> list[tuple[str, str, str]]:
    """(stage, how long its last run took, when that ended) for the stages of the ladder, in dvc.yaml's order; but for
    the report, which is not done yet."""
    found = recorded()
    rows = []
    for name in _stages(sweep):
        last = found.get(name)
        rows.append((name, _took(last.seconds), f"{last.at} UTC") if last else (name, "not recorded", ""))
    return rows


def _stages(sweep: Sweep) -> list[str]:
    """The names that DVC gives to the stages of the ladder; none where there is no graph to read."""
    lists = {"${arms}": sweep.tuned, "${sweep.models}": sweep.models, "${sweep.tuned}": sweep.tuned}
    lists |= {"${sweep.arms}": sweep.arms}
    try:
        stages: Mapping[str, Any] = read_yaml(GRAPH)["stages"]
    except InputError:
        return []
    names = []
    for stage, stanza in stages.items():
        over = [stanza["foreach"]] if "foreach" in stanza else list(stanza.get("matrix", {}).values())
        choices = [lists.get(one, ()) if isinstance(one, str) else map(str, one) for one in over]
        names += [stage_name(stage, chosen) for chosen in itertools.product(*choices) if stage != "report"]
    return names


def _took(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def machine() -> list[tuple[str, str]]:
    """Date, code, Python, packages and hardware of the run that made the page; never its name or its folders."""
    found = [
        ("made on", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("code", _commit()),
        ("system", f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"),
        ("processor", f"{_processor()}, {os.cpu_count()} cores"),
        ("memory", _memory()),
        ("accelerator", ", ".join(_accelerators()) or "none seen"),
        ("packages", ", ".join(f"{name} {version}" for name, version in _versions())),
    ]
    return [(name, value) for name, value in found if value]


def _versions() -> list[tuple[str, str]]:
    found = []
    for name in PACKAGES:
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str:
    """The commit of the working tree, and whether it had changes; empty outside a repository."""
    command = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run([*command, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=20, check=False)
        if head.returncode:
            return ""
        clean = subprocess.run([*command, "diff", "--quiet", "HEAD"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return f"commit {head.stdout.strip()}{' with uncommitted changes' if clean.returncode else ''}"


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return found[1] if found else platform.machine()


def _memory() -> str:
    found = re.search(r"^MemTotal:\s*(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    return f"{int(found[1]) / 2**20:.0f} GiB" if found else ""


def _accelerators() -> list[str]:
    """Names of NVIDIA devices, from the driver: importing torch for this would take seconds."""
    files = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    names = (re.search(r"^Model:\s*(.+)$", _read(str(file)), re.MULTILINE) for file in files)
    return [name[1] for name in names if name]


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
