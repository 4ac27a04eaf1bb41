"""Everything in params.yaml that shaped the results."""

from collections.abc import Mapping
from typing import Any

from tasks.reporting.page.section import Results, Section
from tasks.runtime.command import Job
from tasks.settings.sweep import Sweep


def section(results: Results) -> Section:
    """Each section of params.yaml as rows of a choice and its value."""
    rows = {name: flat(values) for name, values in choices(results.job).items()}
    return Section("choices", "Choices", "Choices, as in params.yaml", {"choices": rows})


def choices(job: Job) -> dict[str, Any]:
    """The sections that the report tracks, as they stand in params.yaml; of catalogues only what the sweep used."""
    sweep, chosen = job.section("sweep", Sweep), {name: job.params[name] for name in job.command.params}
    chosen["arms"] = {arm: chosen["arms"][arm] for arm in sweep.tuned}
    chosen["models"] = {model: {"finetune": chosen["models"][model]["finetune"]} for model in sweep.models}
    toxicity = chosen["toxicity"]  # of the scorers' settings only the chosen one's
    chosen["toxicity"] = {
        key: value for key, value in toxicity.items() if not isinstance(value, Mapping) or key == toxicity["scorer"]
    }
    return chosen


def flat(value: Any, key: str = "") -> list[tuple[str, str]]:
    """A section as (dotted key, value)."""
    if isinstance(value, Mapping):
        return [row for name, item in value.items() for row in flat(item, f"{key}.{name}" if key else str(name))]
    if isinstance(value, list):
        texts = (repr(item) if isinstance(item, str) and not item.strip() else str(item) for item in value)
        return [(key, ", ".join(texts))]
    return [(key, "none" if value is None else str(value))]
