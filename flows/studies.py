"""What `palms sweep --study NAME` and `--set KEY=VALUE` change in params.yaml."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tasks.runtime import config
from tasks.runtime.errors import InputError, instead
from tasks.runtime.sections import NAME, NAME_RULE
from tasks.settings.studies import Study
from tasks.settings.sweep import Sweep


def overrides(params: Mapping[str, Any], study: str | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted key, instead of those of `params`: of the study, then those that were set one by one.

    Raises InputError for an unknown study.
    """
    made = (_of_study(params, study) if study is not None else {}) | dict(values)
    tuned = made.get("sweep.tuned")
    return made if not isinstance(tuned, list) else made | {"sweep.arms": ["base", *tuned]}


def name_of(values: Mapping[str, Any]) -> str:
    """A name for a sweep with these values that is always the same."""
    return f"set-{hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:8]}"


def checked(name: str) -> str:
    """The name. Raises InputError for what cannot name a tree and an experiment."""
    if not NAME.fullmatch(name):
        raise InputError(f"--name {name}: {NAME_RULE}")
    return name


def _of_study(params: Mapping[str, Any], name: str) -> dict[str, Any]:
    studies = config.section(params, "studies", dict[str, Study])
    if name not in studies:
        raise InputError(f"params.yaml: no study '{name}' in `studies`; {instead(name, studies)}")
    study, sweep = studies[name], config.section(params, "sweep", Sweep)
    if twice := [arm for arm in study.arms if arm in params["arms"]]:
        raise InputError(f"params.yaml: studies.{name}.arms: '{twice[0]}' is an arm of `arms` already; rename it")
    return {
        "sweep.models": list(study.models or sweep.models),
        "sweep.tuned": [*sweep.tuned, *study.arms],
        "arms": params["arms"] | params["studies"][name]["arms"],
    }


def settings(texts: Iterable[str]) -> dict[str, Any]:
    """What `--set KEY=VALUE` says, once or more. Raises InputError for anything else."""
    return dict(map(_setting, texts))


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (equals and key):
        raise InputError(f"--set {text}: expected KEY=VALUE, such as sweep.models=[smollm2-135m]")
    try:
        return key, YAML(typ="safe").load(value)
    except YAMLError:
        raise InputError(f"--set {text}: '{value}' is not YAML; quote it") from None
