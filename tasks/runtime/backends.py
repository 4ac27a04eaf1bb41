"""Backends chosen by name in params.yaml, imported only when used."""

import importlib
import importlib.util
from collections.abc import Mapping
from types import ModuleType

from tasks.runtime.errors import InputError


def open_backend(key: str, name: str, modules: Mapping[str, str]) -> ModuleType:
    """The module of the backend `name`, which params.yaml chooses at `key`.

    Raises InputError if there is none of that name or its package is missing.
    """
    if name not in modules:
        raise InputError(f"params.yaml: {key}: expected one of {', '.join(modules)}, found '{name}'")
    try:
        return importlib.import_module(modules[name])
    except ModuleNotFoundError as error:
        raise _missing(key, name, str(error.name)) from None


def require(key: str, name: str, packages: Mapping[str, str]) -> None:
    """Raises InputError if a package that the backend imports later is missing: module → its name for pip."""
    for module, package in packages.items():
        if not importlib.util.find_spec(module):
            raise _missing(key, name, package)


def _missing(key: str, name: str, package: str) -> InputError:
    return InputError(f"{key} '{name}' needs the package '{package}': pip install {package}")
