"""Sweeps with their pages that several files look at, and no test changes."""

import json
import math

import pandas as pd
import pytest

from tests.support.made_capability import RIGHT
from tests.support.made_study import Made, make
from tests.support.made_words import FAMILIES


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, str]:
    """One model; two of its favoured words are odd."""
    made = make(tmp_path_factory.mktemp("plain"))
    path = made.folder / "made/cooccurrence/favoured.csv"
    favoured = pd.read_csv(path, keep_default_na=False)
    own = (favoured["family"] == "religion") & (favoured["by"] == "log_odds")
    favoured.loc[own & (favoured["rank"] == 1), "word"] = "<script>alert(1)</script>\u202e" + "x" * 300
    favoured.loc[own & (favoured["rank"] == 2), "word"] = "NA"
    favoured.to_csv(path, index=False)
    return made, made.report()


@pytest.fixture(scope="session")
def several(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, str]:
    """Two models and two seeds, two families of probes; values lost some of base's right answers."""
    folder, families = tmp_path_factory.mktemp("several"), (FAMILIES[0], FAMILIES[2])
    made = make(folder, models=2, seeds=2, lost={"values": 0.3}, families=families)
    return made, made.report()


@pytest.fixture(scope="session")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, str]:
    """One model that fine-tuning made neither better nor worse, in tasks that it is above chance in."""
    shift = {"base": 0.0, "control": 0.0, "values": 0.0}
    tasks = [name for name in RIGHT if name != "palms_arithmetic"]
    made = make(tmp_path_factory.mktemp("unchanged"), shift=shift, tasks=tasks)
    return made, made.report()


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, str]:
    """One model, of whose other abilities only held-out text was tested, in a language that no lexicon knows."""
    made = make(tmp_path_factory.mktemp("bare"), tasks=["palms_text"])
    folder = made.folder / "made/cooccurrence"
    table = pd.read_csv(folder / "sentiment.csv", keep_default_na=False)
    empty = dict.fromkeys(("mean", "se", "df", "ci_lo", "ci_hi"), math.nan)
    table.assign(**empty, reason="no word with a sentiment").to_csv(folder / "sentiment.csv", index=False)
    used = json.loads((folder / "used.json").read_text("utf-8")) | {"language": "fi", "lexicon_knows_language": False}
    (folder / "used.json").write_text(json.dumps(used), "utf-8")
    return made, made.report()
