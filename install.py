"""Installs a package of this folder and its pinned dependencies by uv: `python install.py .` or `… '.[dev]'`.

`make` calls it with the Python of a new environment, before anything is there. uv unpacks these two gigabytes several
times faster than pip, but reads none of pip's configuration: so it is told where pip would look. Any exit status but 0
means that pip should do it.
"""

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Mapping

# uv's variables for pip's options: not its command line, which any user of the machine may read, passwords and all
VARIABLES = {
    "index-url": ("UV_INDEX_URL",),
    "extra-index-url": ("UV_EXTRA_INDEX_URL",),
    "find-links": ("UV_FIND_LINKS",),
    "trusted-host": ("UV_INSECURE_HOST",),
    "cert": ("SSL_CERT_FILE",),
    "client-cert": ("SSL_CLIENT_CERT",),
    "proxy": ("HTTP_PROXY", "HTTPS_PROXY"),
}


def main(package: str) -> int:
    """Brings uv, then `package` and what it needs; the status of the first step that fails."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    pinned = ["--quiet", "--constraint", "constraints.txt"]
    listed = subprocess.run([*pip, "config", "list"], stdout=subprocess.PIPE, text=True, check=False)
    brought = listed.returncode or subprocess.run([*pip, "install", *pinned, "uv"], check=False).returncode
    if brought:
        return brought
    config = configuration(listed.stdout)
    only_links = ["--no-index"] if config.get("no-index", "").lower() in ("1", "true", "yes", "on") else []
    uv = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable, *only_links]
    whole = [*uv, *pinned, "--editable", package]
    return subprocess.run(whole, env=variables(config) | os.environ, check=False).returncode


def configuration(listed: str) -> dict[str, str]:
    """What `pip config list` says of installing, by option: a command's own goes before `global`, the environment's
    before both."""
    ranks = ("global", "install", ":env:")
    entries = [line.partition("=") for line in listed.splitlines()]
    keys = [(name.rpartition("."), ast.literal_eval(value)) for name, _, value in entries]
    known = [(ranks.index(section), option, str(value)) for (section, _, option), value in keys if section in ranks]
    return {option: value for _, option, value in sorted(known)}


def variables(config: Mapping[str, str]) -> dict[str, str]:
    """Environment variables that have uv look where pip would; among several places for the best version, as pip."""
    found = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    for option, names in VARIABLES.items():
        if option in config:
            value = ("," if option == "find-links" else " ").join(config[option].split())
            found |= dict.fromkeys(names, value)
    return found


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends this without a traceback, and make with it
    sys.exit(main(*sys.argv[1:]))
