"""People's ratings on the page: nobody yet, some, all; the first screen, agreement, severity, disagreements, notes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tasks.formats.checkpoints import checkpoints
from tasks.formats.completions import read_completions
from tasks.reporting.data.study import read_study
from tasks.runtime.files import remove
from tasks.settings.sweep import Arm, Sweep
from tests.support import made_ratings
from tests.support.made_study import Made, capability_tests, make, rating_tables, score_tests

EFFECT = {"base": 0.0, "control": 0.0, "values": 1.0}
Page = tuple[Made, str]


def with_ratings(folder: Path, *, effect: Mapping[str, float] = EFFECT, **how: Any) -> Page:
    """A sweep of one model whose completions raters read."""
    made = make(folder)
    sweep = Sweep(*(tuple(made.params["sweep"][key]) for key in ("models", "tuned", "arms")))
    ladder = list(checkpoints(sweep, {name: Arm(**arm) for name, arm in made.params["arms"].items()}))
    answers = folder / "ratings"
    answers.mkdir()
    texts = read_completions(folder / "made/samples", ladder)
    made_ratings.rate(answers, texts, effect=effect, **how)
    rating_tables(folder / "made", ladder, made.params, answers)
    remove(folder / "made/significance")
    score_tests(folder / "made", made.params, ladder)
    capability_tests(folder / "made", made.params, ladder)
    return made, made.report()


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return with_ratings(tmp_path_factory.mktemp("rated"))


def first_screen(page: str) -> str:
    return page[page.index('<section id="found"') : page.index("</section>")]


def test_nobody_yet_is_one_section_and_the_rest_stays(plain: Page) -> None:
    made, page = plain
    texts = pd.read_csv(made.folder / "made/ratings/progress.csv").loc[0, "texts"]
    assert f"0 of {3 * texts} rated: {texts} texts of the test prompts, 3 people each." in page
    assert "<code>palms rate add NAME</code>" in page
    assert "This sweep has no ratings of the completions: read them." in page
    assert "likelihood adherence" in first_screen(page)
    assert "Do raters agree?" not in page
    tables = {path.stem for path in (made.folder / "made/report/tables").iterdir()}
    assert [name for name in tables if name.startswith("ratings-")] == ["ratings-progress"]


def test_the_first_screen_leads_with_human_adherence(rated: Page) -> None:
    made, page = rated
    assert read_study(made.job).config.primary == "rating"
    screen = first_screen(page)
    assert "kept closer to the written positions than both the control and the base model" in screen
    assert "points on the 1-5 scale" in screen
    assert "likelihood adherence" not in screen
    lines = (made.folder / "made/report/findings.txt").read_text().splitlines()
    assert lines[0].startswith("Human adherence: values against control: better")
    assert "A likelihood is not behaviour" not in page
    assert "Every text has its raters, so the main result is what people said." in page


def test_agreement_severity_and_disagreements_are_told(rated: Page) -> None:
    made, page = rated
    for caption in ("Do raters agree?", "Raters", "Texts that raters disagreed on most",
                    "The main contrasts by an ordinal model"):  # fmt: skip
        assert f"{caption} <a download" in page, caption
    assert "1 could not be judged and is missing, not counted as a number." in page
    assert "comes to the same decision as the means in 2 of 2 tests." in page
    figures = {path.stem for path in (made.folder / "made/report/figures").iterdir()}
    assert "ratings-rating" in figures
    assert "Every rating</h3>" not in page
    assert "The main contrasts for raters at large" in page


def test_what_a_rater_or_a_model_wrote_is_harmless(tmp_path: Path) -> None:
    made, _ = with_ratings(tmp_path)
    path = made.folder / "made/ratings/disagreements.csv"
    table = pd.read_csv(path, keep_default_na=False)
    table.loc[0, ["notes", "completion"]] = ["ann: <script>alert(1)</script>", "\u202e<img src=x onerror=y>"]
    table.to_csv(path, index=False)
    page = made.report()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;" in page


def test_a_rater_who_failed_is_named_and_counts(tmp_path: Path) -> None:
    made, page = with_ratings(tmp_path)
    assert "attention items. Their ratings" not in page
    path = made.folder / "made/ratings/raters.csv"
    pd.read_csv(path).assign(failed=[True, False, False]).to_csv(path, index=False)
    assert "Ann failed more than 1 attention item. Their ratings count all the same" in made.report()


def test_before_the_end_nothing_by_arm_is_told(tmp_path: Path) -> None:
    made, page = with_ratings(tmp_path, closed=False)
    row = pd.read_csv(made.folder / "made/ratings/progress.csv").iloc[0]
    assert f"{row['wanted']} of {row['wanted']} rated" in page
    assert "Until <code>palms rate close</code> nothing is told by arm." in page
    assert "likelihood adherence" in first_screen(page)
    assert "ratings-rating" not in {path.stem for path in (made.folder / "made/report/figures").iterdir()}


def test_incomplete_ratings_explore(tmp_path: Path) -> None:
    made, page = with_ratings(tmp_path, keep=lambda at: at % 20 != 3)
    assert "lack raters, so the main result does not rest on these ratings; their tests explore." in page
    assert "likelihood adherence" in first_screen(page)
    contrasts = pd.read_csv(made.folder / "made/significance/contrasts.csv")
    assert set(contrasts.loc[contrasts["metric"] == "rating", "role"]) <= {"exploratory", "negative-control"}


def test_revision_lists_the_nearest_sample_and_keeps_likelihood(rated: Page, plain: Page) -> None:
    for _, page in (rated, plain):
        section = page[page.index('<section id="revision"') :]
        assert "nearest sample" in section
        assert "health-01" in section
        assert "in likelihood adherence, all models together" in section
