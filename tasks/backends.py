"""Backends chosen by name in params.yaml, imported only when used."""

import importlib
from collections.abc import Mapping
from types import ModuleType

from tasks.errors import InputError


def open_backend(key: str, name: str, modules: Mapping[str, str]) -> ModuleType:
    """The module of the backend `name`, which params.yaml chooses at `key`.

    Raises InputError if there is none of that name or its package is missing.
    """
    if name not in modules:
        raise InputError(f"params.yaml: {key}: expected one of {', '.join(modules)}, found '{name}'")
    try:
        return importlib.import_module(modules[name])
    except ModuleNotFoundError as error:
        raise InputError(f"{key} '{name}' needs the package '{error.name}': pip install {error.name}") from None
