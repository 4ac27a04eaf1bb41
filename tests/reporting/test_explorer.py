"""The explorer of samples in a real browser, under the page's own policy: sorted, searched and chosen."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.accessibility import BROWSERS, FLAGS, QUIET
from tests.support.made_study import Made

BROWSER = next((path for name in BROWSERS if (path := shutil.which(name))), None)
PROBE = """addEventListener("load", () => {
  const steps = [], at = id => document.getElementById(id), seen = all => [...document.querySelectorAll(all)].filter(
    each => each.offsetParent);
  const note = name => steps.push([name, seen("#prompts .prompt").map(each => [each.dataset.lot, each.dataset.gain])]);
  const set = (id, value) => {
    at(id).value = value;
    at(id).dispatchEvent(new Event(id === "search" ? "input" : "change"));
  };
  note("start");
  for (const order of ["gain", "loss", "lot"]) { set("order", order); note(order); }
  const first = document.querySelector("#prompts .prompt summary span").textContent;
  set("search", first.toUpperCase()); note("search"); set("search", ""); note("cleared");
  at("pick-2").click(); note("category"); at("pick-0").click(); note("all");
  at("arm-1").click(); steps.push(["arms", seen("#prompts .arm-1").length, seen("#prompts .arm-3").length]);
  at("arm-1").click(); at("pick-2").click(); set("search", "no such words");
  const wanted = [...document.querySelectorAll("#prompts .prompt:not(.cat-2)")].pop();
  history.replaceState(null, "", `#${wanted.id}`); dispatchEvent(new HashChangeEvent("hashchange"));
  steps.push(["link", wanted.open, wanted.offsetParent !== null]);
  document.body.textContent = "STEPS" + JSON.stringify(steps) + "END";
});"""


def steps_of(page: str, folder: Path, *, scripts: bool = True) -> dict[str, Any]:
    """What the probe saw after each step; the policy allows it beside the page's own script, if `scripts`."""
    digest = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    allowed = re.sub(r"script-src '([^']+)'", rf"script-src '\1' 'sha256-{digest}'", page)
    path = folder / "page.html"
    path.write_text((allowed if scripts else page).replace("</body>", f"<script>{PROBE}</script></body>"), "utf-8")
    command = [str(BROWSER), *FLAGS, *QUIET, f"--user-data-dir={folder / 'profile'}", path.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120).stdout
    found = re.search(r"STEPS(\[\[.*?)END</body>", shown, re.DOTALL)
    return {name: rest for name, *rest in json.loads(html.unescape(found[1]))} if found else {}


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_texts_are_sorted_searched_and_chosen_and_nobody_elses_script_runs(
    plain: tuple[Made, str], tmp_path: Path
) -> None:
    steps = steps_of(plain[1], tmp_path)
    seen = {name: rest[0] for name, rest in steps.items() if name not in ("arms", "link")}
    by_lot = [str(number) for number in range(1, 41)]
    gains = {name: [float(gain) for _, gain in rows] for name, rows in seen.items()}
    assert gains["gain"] == sorted(gains["gain"], reverse=True)
    assert gains["loss"] == sorted(gains["loss"])
    for name in ("lot", "cleared", "all"):
        assert seen[name] == seen["start"]
    assert {number for number, _ in seen["gain"]} == set(by_lot)
    assert [number for number, _ in seen["search"]] == ["1"]
    assert len(seen["category"]) == 5
    assert steps["link"] == [True, True]  # unfolded and in sight, whatever was chosen or searched for
    base, values = steps["arms"]
    assert base == 0
    assert values > 0
    assert steps_of(plain[1], tmp_path, scripts=False) == {}
