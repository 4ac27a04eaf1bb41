"""The report's page under axe-core, in a real browser: `make accessibility` after a sweep.

Checks WCAG 2.2 A and AA and axe's best practices, light and dark, at the width of a desktop and of a phone, with
everything unfolded that can be. Needs Chromium on PATH; axe-core is read out of a wheel that is not installed.
"""

import hashlib
import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

PAGE = Path("data/made/report/index.html")
WHEEL = "axe-playwright-python==0.1.8"
WHEEL_SHA256 = "fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8"
AXE = "axe_playwright_python/axe.min.js"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FORMS = {  # name -> width in pixels, dark
    "desktop, light": (1280, False),
    "desktop, dark": (1280, True),
    "phone, light": (390, False),
    "phone, dark": (390, True),
}
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
QUIET = ("--disable-background-networking", "--disable-component-update", "--virtual-time-budget=60000", "--dump-dom")
RUN = """
document.querySelectorAll("details").forEach(each => { each.open = true; });
axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(found => {
  const kept = ["violations", "incomplete"].map(kind => [kind, found[kind].map(one =>
    ({id: one.id, help: one.help, impact: one.impact, nodes: one.nodes.map(node => node.html.slice(0, 160))}))]);
  parent.postMessage(JSON.stringify({passes: found.passes.length, width: innerWidth,
    dark: matchMedia("(prefers-color-scheme: dark)").matches, ...Object.fromEntries(kept)}), "*");
});
"""
# A window of Chromium is never as narrow as a phone; a frame in it can be.
FRAME = """<!doctype html><title>frame</title><pre id="axe-found"></pre>
<script>addEventListener("message", each => { document.getElementById("axe-found").textContent = each.data; });</script>
<iframe src="page.html" style="width: WIDTHpx; height: 1600px; border: 0"></iframe>"""


def main() -> int:
    """Prints what axe found in each form; returns 0 if there is no violation, 1 if there is one, 2 without a page."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None or not PAGE.is_file():
        print(f"error: needs {PAGE} (`make sweep`) and one of {', '.join(BROWSERS)}", file=sys.stderr)
        return 2
    violations = 0
    with tempfile.TemporaryDirectory(prefix="palms-axe-") as scratch:
        page = with_axe(PAGE.read_text("utf-8"), axe_core(Path(scratch)), Path(scratch))
        for form, (width, dark) in FORMS.items():
            found = run(browser, page, width, dark, Path(scratch) / f"{width}-{dark}")
            if (found["dark"], found["width"]) != (dark, width):
                raise SystemExit(f"error: the browser showed {found['width']} pixels, dark {found['dark']}")
            violations += len(found["violations"])
            print(f"{form}: {len(found['violations'])} violations, {found['passes']} rules passed")
            for kind, words in (("violations", "violation"), ("incomplete", "axe cannot tell")):
                for one in found[kind]:
                    print(f"  {words}: {one['id']} ({one['impact']}): {one['help']}; {len(one['nodes'])} nodes")
                    print("".join(f"    {node}\n" for node in one["nodes"][:3]), end="")
    return int(violations > 0)


def axe_core(folder: Path) -> str:
    """axe-core's source, from the pinned wheel."""
    command = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--dest", str(folder), WHEEL]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    if (found := hashlib.sha256(wheel.read_bytes()).hexdigest()) != WHEEL_SHA256:
        raise SystemExit(f"error: {wheel.name}: its sha256 is {found}, expected {WHEEL_SHA256}; not used")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(AXE).decode("utf-8")


def with_axe(page: str, axe: str, folder: Path) -> Path:
    """A copy of the page that runs axe once it is loaded and puts what was found in its place."""
    script = f"<script>{axe}</script><script>window.addEventListener('load', () => {{{RUN}}});</script>"
    # the page's own policy allows no script but the page's own, and shall not
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    path = folder / "page.html"
    path.write_text(page.replace("</body>", f"{script}</body>"), "utf-8")
    return path


def run(browser: str, page: Path, width: int, dark: bool, profile: Path) -> dict[str, Any]:
    """What axe found in one form of the page."""
    frame = page.with_name("frame.html")
    frame.write_text(FRAME.replace("WIDTH", str(width)), "utf-8")
    form = ["--window-size=1400,1700", f"--user-data-dir={profile}", *(["--force-dark-mode"] if dark else [])]
    done = subprocess.run(
        [browser, *FLAGS, *QUIET, *form, frame.as_uri()], capture_output=True, text=True, check=False, timeout=300
    )
    found = re.search(r'<pre id="axe-found">(.+?)</pre>', done.stdout, re.DOTALL)
    if found is None:
        raise SystemExit(f"error: axe did not finish: {done.stderr[-500:]}")
    result: dict[str, Any] = json.loads(html.unescape(found.group(1)))
    return result


if __name__ == "__main__":
    sys.exit(main())
