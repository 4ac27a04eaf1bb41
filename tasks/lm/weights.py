"""No weight is made up: what transformers would initialise anew is refused."""

from collections.abc import Collection, Mapping
from typing import Any

from tasks.runtime.errors import InputError


def require_whole(place: str, loading: Mapping[str, Collection[Any]], unused: bool = False) -> None:
    """Raises InputError unless the file's tensors are the model's, one for one.

    `loading` is transformers' loading info. A missing tensor would get random values, and one left over says that the
    configuration is of another model; with `unused` the latter is allowed, as of a classifier's base model.
    """
    parts = {"missing": loading["missing_keys"], "not part of the model": () if unused else loading["unexpected_keys"]}
    if wrong := [f"{what}: {_some(names)}" for what, names in parts.items() if names]:
        raise InputError(
            f"{place}: the weights do not fit the model that config.json describes ({'; '.join(wrong)}); "
            "transformers would fill what is missing with random values. Get the model again, or save it with its head"
        )


def _some(names: Collection[str], limit: int = 4) -> str:
    more = len(names) - limit
    return ", ".join(sorted(names)[:limit]) + (f" and {more} more" if more > 0 else "")
