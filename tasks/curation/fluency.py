"""What models made of the texts, for `palms check`: figures that the last sweep left, and what they warn of.

Nothing is measured here, and no model is opened. Figures count only if they are of the texts as they stand now.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from tasks.curation.checks import Examined, all_samples
from tasks.formats.fluency import digest, mean_nats, read_fluency
from tasks.inputs.dataset import Prompt
from tasks.runtime.files import read_text
from tasks.settings.fluency import Fluency

MADE = Path("data/made")
WORST = 5  # prompts named


@dataclass(frozen=True)
class UnderModel:
    """The texts under one base model: nats per token of each dataset, and each prompt's margin without the prompt
    (desired − undesired, nats per token, mean over its pairs). None where no figure is of these texts."""

    model: str
    nats: Mapping[str, float | None]
    margins: Mapping[str, float] | None

    def missing(self) -> list[str]:
        """The stages that would measure what is not known."""
        stages = {f"fluency@{self.model}": None in self.nats.values(), f"adherence@{self.model}-base": not self.margins}
        return [stage for stage, wanted in stages.items() if wanted]

    def worst(self) -> list[str]:
        """The prompts' ids, the largest margin to either side first."""
        margins = self.margins or {}
        return sorted(margins, key=lambda id: -abs(margins[id]))


def under_model(root: Path, model: str, datasets: Mapping[str, Examined]) -> UnderModel:
    """What the last sweep in `root` measured of these texts under the base model."""
    path = root / MADE / "fluency" / f"{model}.jsonl"
    rows = read_fluency(path) if path.is_file() else []
    nats: dict[str, float | None] = {}
    for name, examined in datasets.items():
        measured = [row for row in rows if row.dataset == name]
        texts = {digest(sample) for sample in all_samples(examined.categories)}
        current = measured and all(row.digest in texts for row in measured)
        nats[name] = mean_nats(measured) if current else None
    prompts = next((examined.prompts for examined in datasets.values()), [])
    return UnderModel(model, nats, _margins(root / MADE / "pairs" / model / "base.csv", prompts))


def _margins(path: Path, prompts: Sequence[Prompt]) -> dict[str, float] | None:
    rows = csv.DictReader(io.StringIO(read_text(path), newline="")) if path.is_file() else ()
    measured = {(row["desired_text"], row["undesired_text"]): float(row["margin_free"]) for row in rows}
    pairs = {prompt.id: [(pair.desired, pair.undesired) for pair in prompt.pairs] for prompt in prompts}
    if not pairs or any(pair not in measured for texts in pairs.values() for pair in texts):
        return None
    return {id: mean(measured[pair] for pair in texts) for id, texts in pairs.items()}


def warnings(texts: UnderModel, compared: Sequence[tuple[str, str]], rules: Fluency) -> Iterator[str]:
    """What will make the experiment weaker; `compared` are the datasets that should be equally hard (values and
    control)."""
    for name, nats in texts.nats.items():
        if nats is not None and nats > rules.max_nats:
            yield (
                f"data/{name}: {nats:.2f} nats per token under {texts.model}, more than fluency.max_nats, "
                f"{rules.max_nats:g}: it cannot predict these texts and will learn their manner instead of what they "
                "say; write plainer ones (the answer first, common words, one idea after another), or take a model "
                "that knows their language"
            )
    for left, right in compared:
        a, b = texts.nats.get(left), texts.nats.get(right)
        if a is not None and b is not None and abs(a - b) > rules.max_difference:
            yield (
                f"data/{left} and data/{right}: {a:.2f} and {b:.2f} nats per token under {texts.model}, further apart "
                f"than fluency.max_difference, {rules.max_difference:g}: what differs should be the content alone"
            )
    margins = texts.margins or {}
    if uneven := [id for id in texts.worst() if abs(margins[id]) > rules.max_pair_margin]:
        named = ", ".join(f"{id} {margins[id]:+.2f}" for id in uneven[:WORST])
        count = f"{len(uneven)} of {len(margins)} prompts have" if len(uneven) > 1 else "1 prompt has"
        yield (
            f"data/prompts: {count} answers that differ under {texts.model} without any prompt by more than "
            f"fluency.max_pair_margin, {rules.max_pair_margin:g} nats per token (+: desired likelier): {named}"
            f"{' …' if len(uneven) > WORST else ''}; say both sides equally fluently"
        )
