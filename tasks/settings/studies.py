"""Studies: further sweeps that a name stands for."""

from tasks.runtime.sections import Names, section
from tasks.settings.sweep import Arm


@section("studies.*")
class Study:
    """What a study sweeps: `models` in place of those of `sweep` (null keeps them), and arms beside its own."""

    models: Names | None
    arms: dict[str, Arm]
