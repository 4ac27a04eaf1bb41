"""Where the results came from. Only this part of the page may depend on the clock and the machine."""

import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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


def models(sources: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Each rung's base model: name, licence, where from, revision and hashes."""
    rows = []
    for rung, source in sources.items():
        weights = source.get("safetensors_sha256", {})
        pins = {key: source[key] for key in ("requirement", "revision", "wheel_sha256", "file_sha256") if key in source}
        rows.append(
            {
                "rung": rung,
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
