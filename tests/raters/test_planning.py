"""palms power and palms ratings, by the command: what they say of a plan, and what they refuse."""

import shutil
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from flows import cli
from tasks.formats.checkpoints import checkpoints
from tasks.formats.completions import read_completions
from tasks.formats.ratings import read_ratings
from tasks.raters.planning import ASSUMED, Asked, report
from tasks.settings.sweep import Arm, Sweep
from tests.support import made_ratings
from tests.support.made_study import REPOSITORY, make, rating_tables
from tests.test_ratings import EFFECT


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with the project's params.yaml and data, and the completions of a sweep."""
    import yaml

    root = tmp_path_factory.mktemp("tree")
    made = make(root / "data")
    for name in ("prompts", "values"):
        shutil.copytree(REPOSITORY / "data" / name, root / "data" / name)
    (root / "params.yaml").write_text(yaml.safe_dump(made.params, sort_keys=False), "utf-8")
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "data/ratings").mkdir()
    return root


@pytest.fixture
def inside(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The commands run in a copy of it."""
    root = tmp_path / "tree"
    shutil.copytree(tree, root)
    monkeypatch.chdir(root)
    monkeypatch.setattr(cli, "_enter_root", lambda: root)
    return root


def test_the_present_plan_in_numbers(tree: Path) -> None:
    lines = list(report(tree, Asked()))
    assert lines[0].startswith(
        "40 prompts in 8 categories, 3 samples, 3 raters, 1 training seed, 1 model: 360 texts, 1,080 ratings, "
        "8.4 hours of rating at 25 s a text (2.8 for each of 3 people)"
    )
    assert "assumed, for want of ratings" in lines[1]
    assert lines[2] == "finds with 80% power: 0.41 points by one test, 0.46 as the first of the family of 2"
    assert lines[3].startswith("power for 0.4 points: 6")
    plans = [line.split() for line in lines[6:-1]]
    hours = [float(row[-1]) for row in plans]
    assert hours == sorted(hours)
    assert len(plans) == 6
    assert "with one training seed" in lines[-1]


def test_what_is_asked_for_changes_it(tree: Path) -> None:
    lines = list(report(tree, Asked(difference=0.3, power=0.9, prompts=80, samples=2, raters=5, seeds=3, seconds=10.0)))
    start = "80 prompts in 8 categories, 2 samples, 5 raters, 3 training seeds, 1 model: 1,120 texts"
    assert lines[0].startswith(start)
    assert "90% power" in lines[2]
    assert not lines[-1].startswith("with one training seed")
    tiny = list(report(tree, Asked(difference=0.01, seeds=2)))
    assert tiny[-1] == "no plan of up to 1,000 prompts finds 0.01 points with these seeds; more seeds may"


def test_where_there_are_ratings_their_own_spread_counts(inside: Path) -> None:
    import yaml

    params = yaml.safe_load((inside / "params.yaml").read_text("utf-8"))
    sweep = Sweep(*(tuple(params["sweep"][key]) for key in ("models", "tuned", "arms")))
    ladder = list(checkpoints(sweep, {name: Arm(**arm) for name, arm in params["arms"].items()}))
    texts = read_completions(inside / "data/made/samples", ladder)
    made_ratings.rate(inside / "data/ratings", texts, effect=EFFECT)
    rating_tables(inside / "data/made", ladder, params, inside / "data/ratings")
    lines = list(report(inside, Asked()))
    assert " ratings): " in lines[1]
    assert "at 8 s a text" in lines[0]
    figures = [float(part.split()[0]) for part in lines[1].split(": ")[1].split(", ")]
    spread = dict(zip(asdict(ASSUMED), figures, strict=True))
    assert spread["rater"] == pytest.approx(0.6, abs=0.15)  # drawn with .5, rounded, and severity left out
    assert spread["sample"] == pytest.approx(0.6, abs=0.15)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--difference", "-1"], "--difference: expected a number above 0, found -1"),
        (["--power", "1.2"], "--power: expected a number below 1, found 1.2"),
        (["--raters", "0"], "--raters: expected a number above 0, found 0"),
    ],
)
@pytest.mark.usefixtures("inside")
def test_numbers_that_make_no_sense(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["power", *arguments]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


def test_export_rate_elsewhere_import(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ratings", "export", "texts.csv"]) == 0
    table = pd.read_csv("texts.csv", dtype=str, keep_default_na=False)
    assert f"{len(table)} texts, without model or arm: texts.csv" in capsys.readouterr().out
    assert list(table.columns[:4]) == ["text_id", "position", "prompt", "completion"]
    assert (table["position"] != "").all()
    table.assign(rating="4").to_csv("done.csv", index=False)
    assert cli.main(["ratings", "import", "done.csv", "--rater", "ann"]) == 0
    assert f"ann.csv: {len(table)} answers" in capsys.readouterr().out
    assert read_ratings(inside / "data/ratings")["rating"].eq(4).all()
    assert cli.main(["ratings", "import", "done.csv", "--rater", "ann"]) == 2
    assert "ann.csv: there already; move it away" in capsys.readouterr().err
    assert cli.main(["rate", "add", "zoe"]) == 0
    assert cli.main(["ratings", "import", "done.csv", "--rater", "zoe"]) == 2
    assert "zoe: a rater of `palms rate`; give another name by --rater" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "rater", "message"),
    [
        (lambda t: t.assign(text_id="f" * 16), "ann", "1 of 1 texts are not of this sweep, as 'ffffffffffffffff'"),
        (lambda t: pd.concat([t, t]), "ann", "rated text"),
        (lambda t: t, "Ann B", "--rater: a name is made of a-z, 0-9, - and _, found 'Ann B'"),
        (lambda t: t, None, "nobody is named as its rater"),
    ],
)
def test_wrong_answers_write_nothing(change, rater, message, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ratings", "export", "texts.csv"]) == 0
    table = pd.read_csv("texts.csv", dtype=str, keep_default_na=False).head(1).assign(rating="2")
    change(table).to_csv("done.csv", index=False)
    named = ["--rater", rater] if rater else []
    assert cli.main(["ratings", "import", "done.csv", *named]) == 2
    assert message in capsys.readouterr().err
    assert not list((inside / "data/ratings").glob("*.csv"))


def test_after_the_end_no_answer_is_taken(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_ratings.close(inside / "data/ratings", 1, ["ann"])
    Path("done.csv").write_text("text_id,rating,rater\na,1,ann\n")
    assert cli.main(["ratings", "import", "done.csv"]) == 2
    assert "closed.json: rating is closed" in capsys.readouterr().err
