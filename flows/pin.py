"""`palms models --pin NAME`: writes the hash of a local model into params.yaml, so that DVC notices when it changes."""

import re
from pathlib import Path

from flows import hashes, workspace
from tasks.lm.folders import lacking
from tasks.runtime import config
from tasks.runtime.errors import InputError, instead
from tasks.runtime.files import write_text
from tasks.settings.models import Model, PathSource

_VALUE = re.compile(r"""'[^'\n]*'|"[^"\n]*"|[^\s,}#]+""")


def pin(name: str, path: Path = config.PARAMS_FILE) -> str:
    """Pins the model to what its path holds now; returns what to say. The rest of the file stays as it was written.

    Raises InputError for a model that is not in the catalogue or not local, or that lacks a file.
    """
    params = config.read_params(path)
    if name not in (known := params.get("models") or {}):
        raise InputError(f"{path}: no model '{name}' in `models`; {instead(name, known)}")
    source = config.section(params, f"models.{name}", Model, path).source
    if not isinstance(source, PathSource):
        raise InputError(f"{path}: models.{name}: its source is a {source.kind}, which is pinned already")
    model = Path(source.path).expanduser()
    if lack := lacking(model):
        raise InputError(f"{path}: models.{name}.source.path: {source.path}: {lack}")
    sha256 = hashes.of(model, source.path)
    if sha256 == source.sha256:
        return f"{name} is pinned to {sha256} already"
    _write(path, name, sha256)
    before = f"; it was {source.sha256}" if source.sha256 else ""
    return f"{path}: models.{name}.source.sha256 is {sha256} now{before}"


def _write(path: Path, name: str, sha256: str) -> None:
    text = path.read_text("utf-8")
    source = workspace.plain_yaml().load(text)["models"][name]["source"]
    line, column = source.lc.value("sha256")
    lines = text.split("\n")
    before = "\n".join([*lines[:line], lines[line][:column]])
    value = _VALUE.match(text, len(before))
    if value is None:  # `sha256:` with nothing behind it, which YAML takes for null
        raise InputError(f"{path}: models.{name}.source.sha256: write null there, and pin it again")
    write_text(path, f"{before}{sha256}{text[value.end() :]}")
