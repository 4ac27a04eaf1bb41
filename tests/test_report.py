"""The page as a whole, made from made sweeps of one and of three models."""

import base64
import functools
import hashlib
import html
import json
import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from tasks import report
from tasks.reporting.data.study import read_study
from tasks.reporting.page import render, samples
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
            assert tag not in ("iframe", "object", "embed", "form")
            assert not any(name.startswith("on") for name in attributes)
            for name in ("src", "href", "xlink:href", "action", "srcset", "poster"):
                assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
        ids = [attributes["id"] for _, attributes in found if "id" in attributes]
        assert len(ids) == len(set(ids))
        links = {attributes["href"][1:] for _, attributes in found if attributes.get("href", "").startswith("#")}
        labels = {attributes["aria-labelledby"] for _, attributes in found if "aria-labelledby" in attributes}
        used = set(re.findall(r"url\(#([\w-]+)\)", page))
        assert links | labels | used <= set(ids)


def test_the_one_script_is_the_projects_own_and_no_other_could_run(one):
    page = one[1]
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    own = (Path(render.__file__).parent / "templates/explorer.js").read_text("utf-8")
    assert scripts == [("", own)]
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    policy = next(given["content"] for tag, given in elements(page).found if given.get("http-equiv"))
    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'")
    assert policy.count("script") == 1
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval|fetch|XMLHttp|import", own)


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
    for own in (r'<dl class="facts" id="machine">.*?</dl>', r'<span id="made">.*?</span>'):
        page, count = re.subn(own, "", page, flags=re.DOTALL)
        assert count == 1
    return page


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
    categories = three[1].split('<section id="adherence"')[1].split("<figure>")[2]
    assert all(f"{model}</text>" in categories.replace("\n", "") for model in ("tiny-1m", "small-30m", "large-900m"))
    assert "Trend with model size" in three[1]


def test_figures_tables_and_plots_lie_beside_the_page_which_folds_most_prompts(one):
    made, page = one
    report = made.folder / "made/report"
    names = {path.stem for path in (report / "figures").glob("*.svg")}
    assert {"found", "arms", "categories-control", "capability-tiny-1m", "training", "similarity"} <= names
    assert {"detectable", "categories-base"} <= names
    assert names == {path.stem for path in (report / "figures").glob("*.png")}
    assert (report / "tables/contrasts.csv").is_file()
    plots = {path.name: pd.read_csv(path) for path in (made.folder / "made/plots").iterdir()}
    kinds = ("arms", "contrasts", "toxicity", "categories", "prompts", "capability", "words")
    assert {f"{kind}.csv" for kind in kinds} == set(plots)
    assert not plots["contrasts.csv"].empty
    assert page.count("<svg") == len(names)
    assert "All the other 32 test prompts" in page
    assert page.count('<details class="prompt') == 40
    assert len(re.findall(r'<a href="#prompt-\d+"', page)) == 6  # the largest and the smallest gains


def test_tables_nobody_foresaw_and_the_dataset_claim_appear_and_a_missing_metric_leaves_no_section(seeds):
    made, page = seeds
    assert "Favoured words" in page
    assert "&lt;kind&gt;" in page
    assert "A claim about the dataset, on prompts like these." in page
    assert 'id="toxicity"' not in page
    assert "</span> Not tested</p>" in page
    assert "Completions that ended by themselves, are empty or loop" in page
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
    rules = re.findall(r"#explorer:has\(#size-(\d):checked\) \.set:not\(\.of-\1\)", three[1])
    assert rules == ["1", "2", "3"]
    picks = [given for tag, given in elements(three[1]).found if tag == "input" and given.get("name") == "size"]
    assert [(given["id"], "checked" in given) for given in picks] == [
        ("size-1", False), ("size-2", False), ("size-3", True)
    ]  # fmt: skip
    first = three[1].split('<details class="prompt')[1].split("<details>")[0]
    assert re.findall(r'class="set of-(\d)"', first) == ["3", "2", "1"]
    assert 'name="size"' not in one[1]


def test_what_the_dataset_did_is_asked_only_with_three_seeds(three, seeds):
    checkpoints = three[1]
    assert "Better than fine-tuning on neutral text?</span>" in checkpoints
    assert "or from chance in training, which fewer than three training seeds cannot tell apart" in checkpoints
    assert "comes from the content of the dataset" not in checkpoints
    dataset = seeds[1]
    assert "Did the values dataset do more than neutral text?</span>" in dataset
    assert "What values gained over control comes from the content of the dataset" in dataset
    assert "Over 3 training seeds, the values model leaned further" in dataset
    assert "Among these checkpoints, the values models leaned further" in checkpoints


def first_screen(page: str) -> str:
    """The words of the first screen."""
    return re.sub(r"<svg.*?</svg>|<[^>]+>", "", page[page.index('<div id="first">') : page.index('<p class="about">')],
                  flags=re.DOTALL)  # fmt: skip


def test_the_first_screen_answers_a_strangers_three_questions_in_plain_words(one, three, seeds):
    for _, page in (one, three, seeds):
        first = first_screen(page)
        assert [first.count(question) for question in ("Did it work?", "What did it cost?", "What follows?")] == [1] * 3
        assert first.index("A prompt drawn by lot:") < first.index("Did it work?") < first.index("What follows?")
        plain = re.sub(r"Figures and tests.*?(?=What|$)", "", first.partition("Did it work?")[2], flags=re.DOTALL)
        assert not [word for word in ("nats", "Holm", "margin 10", "p =", "p <", "interval") if word in plain]
        assert re.search(r'<span id="made"> · \d{4}-\d\d-\d\d', page)
    assert "A claim about these checkpoints" in one[1].partition('<p class="about">')[2].partition("</p>")[0]


def test_the_example_is_the_first_prompt_that_was_drawn_base_beside_the_target(three):
    made, page = three
    study = read_study(made.job)
    name = samples.drawn(study)[0]
    assert samples.example(study)["prompt"].id == name
    first = page[page.index('<article class="example">') :].split("</article>")[0]
    assert study.prompts[name].prompt in html.unescape(first)
    assert re.findall(r'<p class="arm">(.*?)</p>', first) == ["base", "values"]
    own = study.test_completions.query("prompt_id == @name and model == 'large-900m' and sample == 0")
    for text in own[own["arm"].isin(["base", "values"])]["completion"]:
        assert not text or text[:60] in html.unescape(first)


def test_beside_each_text_stand_its_scores_and_gains_can_be_sorted(one):
    made, page = one
    study = read_study(made.job)
    scores = study.toxicity.query("variant == 'first_n' and attribute == 'TOXICITY' and split == 'test'")
    shown = re.findall(r'<p class="remark">toxicity ([\d.e−]+)', page[page.index('<div id="explorer">') :])
    assert len(shown) == scores["score"].notna().sum()
    sortable = [given for tag, given in elements(page).found if given.get("class", "").startswith("prompt cat-")]
    gains = pd.read_csv(made.folder / "made/report/tables/prompts.csv").groupby("prompt_id")["effect"].mean()
    assert sorted(float(given["data-gain"]) for given in sortable) == pytest.approx(sorted(gains))
    assert [int(given["data-lot"]) for given in sortable] == list(range(1, 41))


def test_a_claim_about_content_stands_only_where_it_was_found_and_the_plan_only_as_in_params(unchanged_seeds, one):
    found = unchanged_seeds[unchanged_seeds.index('<section id="found"') :].split("</section>")[0]
    assert "Over 3 training seeds, no improvement was found" in found
    assert "comes from the content" not in found
    for page in (unchanged_seeds, one[1]):
        assert "beforehand" not in page
        assert "Choices, as in params.yaml" in page
        assert "well be draws" not in page
        assert "which chose the settings: no claim rests on them" in page
