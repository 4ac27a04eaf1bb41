"""`dvc plots show` without a network: the page holds what draws it, and differences have their intervals."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.flow_trees import REPO, Tree

GRAPH: dict[str, Any] = yaml.safe_load((REPO / "dvc.yaml").read_text("utf-8"))
PLOTS: dict[str, dict[str, Any]] = {name: plot for entry in GRAPH["plots"] for name, plot in entry.items()}
WITH_INTERVALS = {"contrasts", "toxicity", "categories", "capability"}
COLUMNS = "label,diff,ci_lo,ci_hi,mean,effect,corrected"
CHROMIUM = shutil.which("chromium")


def file_of(plot: dict[str, Any]) -> str:
    return next(iter(plot["y"]))


@pytest.fixture(scope="module")
def page(new_tree: Callable[..., Tree]) -> Path:
    """The page of the project's plots on two made-up rows each."""
    rows = f"{COLUMNS}\nsmall: a,0.1,0.05,0.15,1,0.1,0.2\nsmall: b,-0.1,-0.2,0.02,1,-0.1,0.2\n"
    files = {file_of(plot): rows for plot in PLOTS.values()}
    ninety = "data/made/plots/capability.csv"
    files[ninety] = files[ninety].replace("ci_lo,ci_hi", "ci90_lo,ci90_hi")
    tree = new_tree({"dvc.yaml": yaml.safe_dump({"plots": GRAPH["plots"]}), **files})
    shutil.copy(REPO / ".dvc/config", tree.root / ".dvc/config")
    shutil.copytree(REPO / ".dvc/plots", tree.root / ".dvc/plots")
    assert "index.html" in tree.dvc("plots", "show")
    return tree.root / "dvc_plots/index.html"


def test_nothing_is_fetched_and_letters_are_read_right(page: Path) -> None:
    text = page.read_text("utf-8")
    outside = re.sub(r"<script[^>]*>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"<(link|img)[^>]*(src|href)=", outside)
    assert set(re.findall(r"<script[^>]*>", text)) == {"<script>", '<script type = "text/javascript">'}
    assert '<meta charset="utf-8">' in text
    for name in PLOTS:
        assert f'"text": "{name}"' in text


def test_differences_have_intervals() -> None:
    assert {Path(file_of(plot)).stem for plot in PLOTS.values() if plot["template"] == "intervals"} == WITH_INTERVALS


def test_titles_differ() -> None:
    (plot,) = GRAPH["stages"]["finetune"]["plots"]
    (settings,) = plot.values()
    assert "${item.model} ${item.arm}" in settings["title"]
    assert len({plot.get("title", name) for name, plot in PLOTS.items()}) == len(PLOTS)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
def test_a_browser_without_network_draws_every_plot(page: Path, tmp_path: Path) -> None:
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--dump-dom"]
    cut_off = ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000"]
    run = subprocess.run([str(CHROMIUM), *flags, *cut_off, page.as_uri()], capture_output=True, text=True, timeout=120)
    assert run.stdout.count('class="marks"') == len(PLOTS), run.stderr
