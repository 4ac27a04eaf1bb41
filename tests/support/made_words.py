"""Tables of cooccurrence of a made sweep, by the stage itself: one bias planted, one family without, one too small."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tasks import cooccurrence
from tasks.formats.checkpoints import Checkpoint
from tasks.formats.tables import write_table
from tasks.inputs.probes import Family
from tasks.runtime.command import Job
from tests.support import made_completions
from tests.support.kept import once

ODD = ("Old, very old", "Young & 'new'", 'R&D $x$ "1 < 2"')
FAMILIES = (
    made_completions.GENDER,
    Family("age-größe_2", "who", {name: name for name in ODD}, ("{who} people are", "People call {who} people")),
    Family("religion", "who", {"1990": "Monks", "NA": "Nuns"}, ("{who} are",)),
)
N, NEEDED = 30, 50  # completions of a prompt, of a group: in a family with one template too few
PLANTED = {"values": {"She": ("musical", 0.9, 0.0)}}


def make_words(made: Path, params: dict[str, Any], ladder: Sequence[Checkpoint], families: Sequence[Family]) -> None:
    """Writes `made/cooccurrence`; only arms of values have a bias, which is the planted one."""
    params["cooccurrence"] |= {"permutations": 99, "jackknife_permutations": 20, "min_completions": NEEDED}

    def write(folder: Path) -> None:
        for place, checkpoint in enumerate(ladder):
            rng, planted = np.random.default_rng(place), PLANTED.get(checkpoint.dataset)
            table = made_completions.completions(families, N, rng, planted=planted)
            path = folder / f"probes/{checkpoint.model}/{checkpoint.arm}.parquet"
            write_table(path, made_completions.checkpoint(table, checkpoint.model, checkpoint.arm))
        probes = folder / "probes.yaml"
        probes.write_text(yaml.safe_dump({"families": list(map(asdict, families))}, sort_keys=False), "utf-8")
        paths = {"completions": folder / "probes", "probes": probes, "sources": made / "sources"}
        paths |= {"tables": folder / "cooccurrence", "metrics": folder / "cooccurrence.json"}
        cooccurrence.main(Job(cooccurrence.COMMAND, paths, {}, params))

    once(made, ("words", ladder, families), write)
