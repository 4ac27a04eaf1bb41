"""Tables of cooccurrence of a made sweep, by the stage itself: one bias planted, one family without, one too small."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tasks import cooccurrence
from tasks.cells import Cell
from tasks.command import Job
from tasks.probes import Family
from tasks.tables import write_table
from tests import made_completions

ODD = ("Old, very old", "Young & 'new'", 'R&D $x$ "1 < 2"')
FAMILIES = (
    made_completions.GENDER,
    Family("age-größe_2", "who", {name: name for name in ODD}, ("{who} people are", "People call {who} people")),
    Family("religion", "who", {"1990": "Monks", "NA": "Nuns"}, ("{who} are",)),
)
N = 60  # completions of a prompt: of a family with one template too few
PROBES, METRICS = "probes.yaml", "cooccurrence.json"
PLANTED = {"values": {"She": ("musical", 0.9, 0.0)}}


_kept: dict[tuple[Cell, ...], dict[str, bytes]] = {}  # what was made of a ladder, by name below `made`


def make_words(made: Path, params: dict[str, Any], ladder: Sequence[Cell]) -> None:
    """Writes `made/cooccurrence`; only arms of values have a bias, which is the planted one."""
    params["cooccurrence"] |= {"permutations": 99, "jackknife_permutations": 20, "min_completions": 100}
    key = tuple(ladder)
    if key not in _kept:
        _make(made, params, ladder)
        tables = [*(made / "probes").rglob("*.parquet"), *(made / "cooccurrence").iterdir()]
        files = [*tables, made / PROBES, made / METRICS]
        _kept[key] = {str(path.relative_to(made)): path.read_bytes() for path in files}
    for name, content in _kept[key].items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(content)


def _make(made: Path, params: dict[str, Any], ladder: Sequence[Cell]) -> None:
    for place, cell in enumerate(ladder):
        rng, planted = np.random.default_rng(place), PLANTED.get(cell.dataset)
        table = made_completions.completions(FAMILIES, N, rng, planted=planted)
        path = made / f"probes/{cell.rung}/{cell.arm}.parquet"
        write_table(path, made_completions.cell(table, cell.rung, cell.arm))
    probes = made / PROBES
    probes.write_text(yaml.safe_dump({"families": [_entry(family) for family in FAMILIES]}, sort_keys=False), "utf-8")
    paths = {"completions": made / "probes", "probes": probes, "sources": made / "sources"}
    paths |= {"tables": made / "cooccurrence", "metrics": made / METRICS}
    cooccurrence.main(Job(cooccurrence.COMMAND, paths, {}, params))


def _entry(family: Family) -> Mapping[str, Any]:
    templates = list(family.templates)
    return {"id": family.id, "slot": family.slot, "groups": dict(family.groups), "templates": templates}
