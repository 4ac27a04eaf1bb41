"""`palms sweep --dry-run`: what a sweep would do, found out by `dvc status` and the graph, and nothing run."""

from collections.abc import Mapping, Sequence

from flows.dag import Stage


def lines(stages: Sequence[Stage], changes: Mapping[str, Sequence[str]]) -> list[str]:
    """A line for each stage that is out of date, with the reason or the first stage that it waits for, and a count.

    `stages`: those of the sweep, upstreams first. What waits may turn out unchanged, where an upstream makes the same
    as before, or come from DVC's run-cache: this says what is looked at, at most.
    """
    waits: dict[str, str] = {}
    for stage in stages:
        if stage.name in changes:
            waits[stage.name] = "; ".join(changes[stage.name])
        elif stale := [up for up in stage.upstreams if up in waits]:
            waits[stage.name] = f"after {stale[0]}" + (f" and {len(stale) - 1} more" if len(stale) > 1 else "")
    told = [f"{name}: {why}" for name, why in waits.items()]
    if not waits:
        return [f"nothing to do: all {len(stages)} stages are up to date"]
    return [*told, f"{len(waits)} of {len(stages)} stages would run, or come from DVC's cache; nothing was run"]
