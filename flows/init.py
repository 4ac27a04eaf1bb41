"""`palms init FOLDER`: a new study, a folder of its own with the graph, its code, parameters and example texts.

What it holds passes `palms check` and runs; the texts are there to be replaced.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flows import workspace
from tasks.inputs.records import NAME, NAME_RULE
from tasks.lm.folders import fingerprint, lacking
from tasks.runtime.config import PARAMS_FILE, read_params
from tasks.runtime.errors import InputError

PROJECT = Path(__file__).parents[1]
COPIED = ("dvc.yaml", ".dvcignore", ".gitignore", ".dvc/config", ".dvc/.gitignore", ".dvc/plots", "tasks", "flows",
          "docs", "data/archive", "data/capability", "data/probes.yaml", "data/ratings/README.md",
          "data/ratings/instructions.yaml", "Makefile", "install.py", "constraints.txt", "pyproject.toml",
          "LICENSE")  # fmt: skip
EXAMPLES = Path("data/examples")
TEXTS = ("values", "control", "prompts")
TEMPLATES = {"en": ("Question", "Answer"), "es": ("Pregunta", "Respuesta"), "de": ("Frage", "Antwort")}
CURATE = {"samples_per_category": 2, "prompts_per_category": {"test": 3, "validation": 1}, "pairs_per_prompt": 1,
          "max_median_difference": 0.2}  # of few texts the median jumps
RECIPE = {"learning_rate": 2.0e-5, "epochs": 3, "global_batch_size": 4}
SLUG = re.compile(r"[^a-z0-9_-]+")
README = """# {name}

A study of values-targeted fine-tuning: `data/values` holds example texts; replace them, `data/control` and
`data/prompts` by your own, step by step as [docs/your-own-values.md](docs/your-own-values.md) says.

```sh
palms check     # every problem of the texts, and what cannot be scored or tested
palms sweep     # the whole experiment, to data/made/report/index.html
git add -A && git commit -m "First sweep"    # dvc.lock and data/metrics.json: its record, which `palms compare` reads
```

`make check` and `make sweep` install what is needed into `.venv` first. Every number is in `params.yaml`;
[docs/your-own-model.md](docs/your-own-model.md) says how to put in a model of yours.
"""


@dataclass(frozen=True)
class Choices:
    """What a study is about: an ISO 639 code, its two categories (None: as the examples call them), and a model, which
    is a name of the catalogue or the path of a folder or a GGUF file."""

    language: str
    categories: Sequence[str] | None
    model: str


def init(folder: Path, choices: Choices) -> str:
    """Makes the study in `folder`, which must not be there yet or be empty; returns what to say.

    Raises InputError, before anything is written, for a choice that cannot be made.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: there is something already; name a folder that is new or empty")
    if not (PROJECT / "dvc.yaml").is_file():
        raise InputError("palms init copies the clone that `palms` was installed from, and here is none; make one")
    params = _params(choices)
    texts, files = _example(choices)
    for name in COPIED:
        source, copy = PROJECT / name, folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", "images", "*.tmp"))
        else:
            shutil.copy2(source, copy)
    for name, text in (files | {"README.md": README.format(name=folder.resolve().name)}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    with (folder / PARAMS_FILE).open("w", encoding="utf-8") as file:
        workspace.plain_yaml().dump(params, file)
    _commit(folder)
    return f"{folder} is there, with {texts}\nnext: cd {folder}, then palms check, then palms sweep"


def ask(answer: Callable[[str], str], language: str | None, categories: str | None, model: str | None) -> Choices:
    """The choices that were made, and for each that was not, the answer to a question; an empty one is the default."""
    language = language or answer(f"language of your texts, an ISO 639 code ({', '.join(TEMPLATES)}, …) [en]: ") or "en"
    names = ", ".join(_names(language))
    told = answer(f"two categories, with a comma between [{names}]: ") if categories is None else categories
    asked = "model: a name that `palms models` lists, or the path of yours"
    chosen = sweep_model()
    model = model or answer(f"{asked} [{chosen}]: ") or chosen
    return Choices(language, [name.strip() for name in told.split(",") if name.strip()] or None, model)


def sweep_model() -> str:
    """The model that the project itself sweeps first."""
    return str(read_params(PROJECT / PARAMS_FILE)["sweep"]["models"][0])


def _source(language: str) -> Path:
    """The folder of the example texts in this language, or in English where there are none."""
    own = PROJECT / EXAMPLES / language
    return own if own.is_dir() else PROJECT / EXAMPLES / "en"


def _names(language: str) -> list[str]:
    return sorted(path.stem for path in (_source(language) / "values").glob("*.yaml"))


def _example(choices: Choices) -> tuple[str, dict[str, str]]:
    """What the texts are, in words, and each file's name and text, with the chosen names in the examples' places."""
    source, names = _source(choices.language), _names(choices.language)
    wanted = list(choices.categories or names)
    if len(wanted) != len(names) or len(set(wanted)) != len(wanted):
        raise InputError(f"--categories: the example texts are for {len(names)}: name so many, and add others later")
    if wrong := [name for name in wanted if not NAME.fullmatch(name)]:
        raise InputError(f"--categories: '{wrong[0]}': {NAME_RULE}")
    files = {}
    for path in sorted(source.rglob("*.yaml")):
        text, place = path.read_text("utf-8"), path.relative_to(source).as_posix()
        for old, new in zip(names, wanted, strict=True):
            place = place.replace(f"values/{old}.yaml", f"values/{new}.yaml")
            text = _renamed(text, old, new)
        files[f"data/{place}"] = text
    told = f"example texts in {source.name}"
    if source.name != choices.language:
        told += f", for there are none in {choices.language}: replace them before anything else"
    return told, files


def _renamed(text: str, old: str, new: str) -> str:
    """An example with another category in its names, ids and titles; none of these stands within a text."""
    quoted = new if isinstance(yaml.safe_load(new), str) else f'"{new}"'  # `no` and 2026 are no text to YAML
    text = re.sub(rf"^( *- id: ){re.escape(old)}(?=-)", rf"\g<1>{new}", text, flags=re.MULTILINE)
    text, named = re.subn(rf"^( *category: ){re.escape(old)}$", rf"\g<1>{quoted}", text, flags=re.MULTILINE)
    return re.sub(r"^title: .*$", f"title: {quoted}", text, flags=re.MULTILINE) if named and old != new else text


def _params(choices: Choices) -> Any:
    """The project's params.yaml, comments and all, with what was chosen."""
    if not re.fullmatch(r"[a-z]{2,3}", choices.language):
        raise InputError(f"--language: expected an ISO 639 code such as en, found '{choices.language}'")
    params: Any = workspace.plain_yaml().load((PROJECT / PARAMS_FILE).read_text("utf-8"))
    params["curate"]["language"] = choices.language
    for key, value in CURATE.items():
        params["curate"][key] = workspace.laid_out(value)
    question, answer = TEMPLATES.get(choices.language, TEMPLATES["en"])
    params["prompting"] |= {"template": f"{question}: {{question}}\n{answer}:", "stop": [f"\n{question}:"]}
    name = choices.model
    if name not in params["models"]:
        name = _own_model(params, Path(choices.model))
    params["sweep"]["models"] = workspace.laid_out([name])
    return params


def _own_model(params: Any, path: Path) -> str:
    """Puts a local model into the catalogue, pinned; returns its name."""
    if lack := lacking(path.expanduser()):
        known = ", ".join(list(params["models"])[:3])
        raise InputError(f"--model {path}: {lack}; expected a model of the catalogue ({known}, …) or one of yours")
    name = SLUG.sub("-", path.stem.lower() if path.is_file() else path.name.lower()).strip("-") or "mine"
    full = path.expanduser().resolve()
    print(f"reading {full} to pin it", file=sys.stderr, flush=True)
    source = {"kind": "path", "path": str(full), "sha256": fingerprint(full), "family": name, "license": "not stated"}
    params["models"][name] = workspace.laid_out({"source": source, "finetune": dict(RECIPE)})
    return name


def _commit(folder: Path) -> None:
    """The folder as a git repository with one commit, from which studies are made."""
    known = not subprocess.run(["git", "config", "user.email"], cwd=folder, capture_output=True, check=False).returncode
    who = [] if known else ["-c", "user.name=palms", "-c", "user.email=palms@localhost"]
    for command in (["init", "--quiet"], ["add", "--all"], [*who, "commit", "--quiet", "--message", "A new study"]):
        done = subprocess.run(["git", *command], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise InputError(f"{folder}: git {command[0]}: {' '.join(done.stderr.split())}")
