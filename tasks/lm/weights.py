"""No weight is made up: what transformers would initialise anew is refused."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from tasks.runtime.errors import InputError


def load(kind: Any, source: str | Path, *, unused: bool = False, **options: Any) -> Any:
    """A model by the `from_pretrained` of one of transformers' classes, which raises what it likes.

    Raises InputError unless the file's tensors are the model's, one for one: a missing tensor would get random values,
    and one left over says that the configuration is of another model; with `unused` the latter is allowed, as of a
    classifier's base model.
    """
    model, loading = kind.from_pretrained(source, output_loading_info=True, trust_remote_code=False, **options)
    parts = {"missing": loading["missing_keys"], "not part of the model": () if unused else loading["unexpected_keys"]}
    if wrong := [f"{what}: {_some(names)}" for what, names in parts.items() if names]:
        raise InputError(
            f"{options.get('gguf_file', source)}: the weights do not fit the model that config.json describes "
            f"({'; '.join(wrong)}); what is missing would get random values. Get the model again, with its head"
        )
    return model


def _some(names: Collection[str], limit: int = 4) -> str:
    more = len(names) - limit
    return ", ".join(sorted(names)[:limit]) + (f" and {more} more" if more > 0 else "")
