"""Keys that a stage needs, from Prefect's Secret blocks, where the environment does not hold them.

    meta: {secrets: {PERSPECTIVE_API_KEY: perspective-api-key}}
"""

import os
from collections.abc import Iterable, Mapping

from flows.meta import Meta


def load(metas: Iterable[Meta], environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variable → value of every Secret block that a stage names and the server has.

    A variable that is set already wins. A block that is not there is no error here: only the stage knows
    whether it needs the key, and says so in its own words.
    """
    environ = os.environ if environ is None else environ
    wanted = {variable: block for meta in metas for variable, block in meta.secrets if not environ.get(variable)}
    values = {variable: _value(block) for variable, block in wanted.items()}
    return {variable: value for variable, value in values.items() if value}


def _value(block: str) -> str | None:
    from prefect.blocks.system import Secret

    try:
        secret = Secret.load(block)
    except ValueError:  # Prefect's word for a block that does not exist
        return None
    return str(secret.get())  # type: ignore[union-attr]
