"""The page as a whole, made from made sweeps of one and of three models."""

import functools
import json
import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from tasks import report
from tasks.reporting.page.render import MOST_BYTES
from tasks.reporting.page.section import Section
from tasks.reporting.page.sections import sections
from tasks.runtime.errors import WorkError
from tasks.scorers import describe
from tests.support.made_study import Made, make
from tests.support.made_words import FAMILIES

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
EVIL = [
    "</script><img src=x onerror=alert(1)><script>alert(2)</script>",
    "</blockquote></div></section><h1>gone</h1>",
    "<style>body{display:none}</style>{{ 7 * 7 }} &lt;b&gt;",
    "x" * 10_000,
    "\u202egnihtyna \u0000\u001b[31m \ud800",
    "Z" + "\u0301" * 500,
]


class Elements(HTMLParser):
    """Every element with its attributes, and every text; complains about ends that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_data(self, data):
        self.texts.append(data.strip())

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


elements = functools.cache(Elements)


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> tuple[Made, str]:
    made = make(tmp_path_factory.mktemp("one"), texts=EVIL, attributes=("TOXICITY", "INSULT"))
    plant_markup(made)
    leave_a_dropped_model(made.folder / "made")
    return made, made.report("svg", "png")


def plant_markup(made: Made) -> None:
    """Markup in what operators and third parties write; a dataset's name cannot hold any ."""
    made.params["report"]["title"] = f"title {EVIL[0]}"
    source = made.folder / "made/sources/tiny-1m.json"
    about = {"license": f"licence {EVIL[0]}", "name": f"name {EVIL[1]}", "source": f"source {EVIL[2]}"}
    source.write_text(json.dumps(json.loads(source.read_text("utf-8")) | about), "utf-8")
    for name in ("contrasts", "capability"):
        path = made.folder / f"made/significance/{name}.csv"
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        table["reason"] = f"reason {EVIL[0]}"
        table.to_csv(path, index=False)


@pytest.fixture(scope="module")
def composed(tmp_path_factory) -> tuple[Made, str, list[Section]]:
    """Three models, their page, and the sections it was made of."""
    made, contents = make(tmp_path_factory.mktemp("three"), models=3, grows=0.4, families=FAMILIES[:1]), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "sections", lambda results: contents.append(sections(results)) or contents[0])
        return made, made.report("svg"), contents[0]


@pytest.fixture(scope="module")
def three(composed) -> tuple[Made, str]:
    return composed[:2]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory) -> tuple[Made, str]:
    """Three seeds, no score of toxicity, and a table of tests that nobody foresaw."""
    made = make(tmp_path_factory.mktemp("seeds"), seeds=3, attributes=(), families=FAMILIES[:1])
    table = pd.DataFrame([{"word": "<kind>", "z": 2.5}])
    table.to_csv(made.folder / "made/significance/favoured_words.csv", index=False)
    return made, made.report()


@pytest.fixture(scope="module")
def unchanged_seeds(tmp_path_factory) -> str:
    """The page of three seeds without any effect."""
    shift = dict.fromkeys(("base", "control", "values"), 0.0)
    return make(tmp_path_factory.mktemp("none"), seeds=3, shift=shift, attributes=(), families=FAMILIES[:1]).report()


def leave_a_dropped_model(made: Path) -> None:
    """What an earlier, longer ladder would have left in the folders."""
    for folder in ("samples", "logs", "capability"):
        shutil.copytree(made / folder / "tiny-1m", made / folder / "gone-7b")
    shutil.copy(made / "sources/tiny-1m.json", made / "sources/gone-7b.json")
    path = made / "significance/scores.parquet"
    table = pd.read_parquet(path)
    pd.concat([table, table.assign(model="gone-7b")]).to_parquet(path, index=False)
    for path in [*(made / "significance").glob("*.csv"), *(made / "cooccurrence").glob("*.csv")]:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if "model" in table:
            pd.concat([table, table.assign(model="gone-7b")]).to_csv(path, index=False)


def test_the_page_is_small_loads_nothing_and_every_reference_has_its_target(one, three):
    for _, page in (one, three):
        assert len(page.encode()) < MOST_BYTES
        assert not re.search(r"@import|url\((?!#)", page)
        found = elements(page).found
        for tag, attributes in found:
            assert tag not in ("script", "iframe", "object", "embed", "form")
            assert not any(name.startswith("on") for name in attributes)
            for name in ("src", "href", "xlink:href", "action", "srcset", "poster"):
                assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
        ids = [attributes["id"] for _, attributes in found if "id" in attributes]
        assert len(ids) == len(set(ids))
        links = {attributes["href"][1:] for _, attributes in found if attributes.get("href", "").startswith("#")}
        labels = {attributes["aria-labelledby"] for _, attributes in found if "aria-labelledby" in attributes}
        used = set(re.findall(r"url\(#([\w-]+)\)", page))
        assert links | labels | used <= set(ids)


def test_headings_captions_and_alternatives_are_there_and_no_cell_is_nan(one, three):
    assert not nans(one[1]) + nans(three[1])
    found = elements(three[1]).found
    levels = [int(tag[1]) for tag, _ in found if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    count = [tag for tag, _ in found].count
    assert count("table") == count("caption")
    assert all("scope" in attributes for tag, attributes in found if tag == "th")
    assert all(attributes.get("aria-label") for tag, attributes in found if tag == "svg")


def test_model_text_cannot_break_the_page(one):
    _, page = one
    tags = [tag for tag, _ in elements(page).found]
    assert "img" not in tags
    assert tags.count("h1") == 1
    assert tags.count("style") == 1
    for start in ("", "title ", "licence ", "reason "):
        assert f"{start}&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in page
    assert "name &lt;/blockquote&gt;" in page
    assert "source &lt;style&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert "x" * 2001 not in page
    assert "8000 characters more not shown" in page
    assert "[U+202E]gnihtyna ␀␛[31m \ufffd" in page
    assert "\u202e" not in page


def test_no_dropped_model_is_read_only_provenance_depends_on_when_and_where_and_nothing_private_is_in_it(
    one, monkeypatch
):
    made, page = one
    before = snapshot(made.folder / "made")
    assert not any(b"gone-7b" in content for content in before.values())
    monkeypatch.setenv("PERSPECTIVE_API_KEY", "key-that-must-stay-secret")
    again = made.report("svg", "png")
    after = snapshot(made.folder / "made")
    assert without_machine(page) == without_machine(again)
    del before["report/index.html"], after["report/index.html"]
    assert before == after
    for secret in ("key-that-must-stay-secret", str(Path.home()) + "/", str(made.folder)):
        assert secret not in again


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for name in ("report", "plots")
            for path in sorted((folder / name).rglob("*")) if path.is_file()}  # fmt: skip


def without_machine(page: str) -> str:
    kept, count = re.subn(r'<dl class="facts" id="machine">.*?</dl>', "", page, flags=re.DOTALL)
    assert count == 1
    return kept


def test_the_findings_are_a_few_short_lines(one, three):
    for made, _ in (one, three):
        lines = (made.folder / "made/report/findings.txt").read_text("utf-8").splitlines()
        assert len(lines) == 4
        assert lines[0].startswith("Likelihood adherence: values against control: ")
        assert lines[1].startswith("Toxicity (scorer offline): ")
        assert lines[2].startswith("Did other abilities stay? ")
        assert "A claim about these checkpoints" in lines[3]
        assert "Cannot be said: the effect grows with model size" in lines[3]


def test_the_planted_effect_is_the_headline_and_the_scorer_is_named_as_it_describes_itself(one, three):
    assert one[1].count(describe("offline", "toy 1")) == 2  # beside the scores, and among the limits
    assert "than both the control and the base model." in one[1]
    assert "than both the control and the base models, at all 3 sizes." in three[1]
    assert "the largest model" in three[1]
    assert "Trend with model size" in three[1]


def test_figures_tables_and_plots_lie_beside_the_page_which_folds_most_prompts(one):
    made, page = one
    report = made.folder / "made/report"
    names = {path.stem for path in (report / "figures").glob("*.svg")}
    assert {"arms", "contrasts", "categories-control", "toxicity", "training", "similarity", "detectable"} <= names
    assert names == {path.stem for path in (report / "figures").glob("*.png")}
    assert (report / "tables/contrasts.csv").is_file()
    plots = {path.name: pd.read_csv(path) for path in (made.folder / "made/plots").iterdir()}
    kinds = ("arms", "contrasts", "toxicity", "categories", "prompts", "capability", "words")
    assert {f"{kind}.csv" for kind in kinds} == set(plots)
    assert not plots["contrasts.csv"].empty
    assert page.count("<svg") == len(names)
    assert "All the other 32 test prompts" in page
    assert page.count('<article class="prompt') == 40 + 6  # the best and the worst once more


def test_tables_nobody_foresaw_and_the_dataset_claim_appear_and_a_missing_metric_leaves_no_section(seeds):
    made, page = seeds
    assert "Favoured words" in page
    assert "&lt;kind&gt;" in page
    assert "A claim about the dataset, on prompts like these." in page
    assert 'id="toxicity"' not in page
    assert '<p class="short">Not tested</p>' in page
    assert "Completions that say little" in page
    assert "All completions were drawn by the engine <code>transformers</code>." in page
    assert not nans(page)
    lines = (made.folder / "made/report/findings.txt").read_text("utf-8").splitlines()
    assert lines[1].startswith("Toxicity: values against control: not tested (no scores of values and control")


def nans(page: str) -> list[str]:
    """Texts of the page that are what a missing figure looks like unrendered."""
    return [text for text in elements(page).texts if text.casefold() in ("nan", "nat", "<na>", "+nan", "nan%")]


def test_a_wide_ladder_leaves_large_tables_out_and_says_where_they_lie(composed, tmp_path, monkeypatch):
    (three, whole, contents), made = composed, Made(tmp_path, composed[0].params)
    assert "left out here" not in whole
    shutil.copytree(three.folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(report, "sections", lambda _: contents)
    fewer = len(whole.encode()) - 100_000  # as if the ladder were so wide that the page has no room left
    monkeypatch.setattr("tasks.reporting.page.render.MOST_BYTES", fewer)
    page = made.report()
    assert fewer - 1_000_000 < len(page.encode()) < fewer
    files = re.findall(r"left out here to keep the page small; it is in the file <code>(.*?)</code>", page)
    assert files
    for name in files:
        assert (tmp_path / "made/report" / name).stat().st_size > 0
    assert "Every test over all prompts" in page
    Elements(page)
    monkeypatch.setattr("tasks.reporting.page.render.MOST_BYTES", 100_000)
    with pytest.raises(WorkError, match="report on fewer models or arms"):
        made.report()


def test_the_samples_can_be_picked_by_category_and_by_model(one, three):
    rules = re.findall(r"#filter:has\(#size-(\d):checked\) \.set:not\(\.of-\1\)", three[1])
    assert rules == ["1", "2", "3"]
    picks = [given for tag, given in elements(three[1]).found if tag == "input" and given["name"] == "size"]
    assert [(given["id"], "checked" in given) for given in picks] == [
        ("size-1", False), ("size-2", False), ("size-3", True)
    ]  # fmt: skip
    first = three[1].split('<article class="prompt')[1].split("<details>")[0]
    assert re.findall(r'class="set of-(\d)"', first) == ["3", "2", "1"]
    assert 'name="size"' not in one[1]


def test_what_the_dataset_did_is_asked_only_with_three_seeds(three, seeds):
    checkpoints = three[1]
    assert "<h3>Is the values model better than the one fine-tuned on neutral text?</h3>" in checkpoints
    assert "or from chance in training, which fewer than three training seeds cannot tell apart" in checkpoints
    assert "comes from the content of the dataset" not in checkpoints
    dataset = seeds[1]
    assert "<h3>Did the values dataset do more than neutral text?</h3>" in dataset
    assert "What values gained over control comes from the content of the dataset" in dataset
    assert "Over 3 training seeds, the values model leaned further" in dataset
    assert "Among these checkpoints, the values models leaned further" in checkpoints


def test_a_claim_about_content_stands_only_where_it_was_found_and_the_plan_only_as_in_params(unchanged_seeds, one):
    found = unchanged_seeds[unchanged_seeds.index('<section id="found"') :].split("</section>")[0]
    assert "Over 3 training seeds, no improvement was found" in found
    assert "comes from the content" not in found
    for page in (unchanged_seeds, one[1]):
        assert "beforehand" not in page
        assert "Choices, as in params.yaml" in page
        assert "well be draws" not in page
        assert "which chose the settings: no claim rests on them" in page
