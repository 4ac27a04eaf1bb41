"""Installs a package of this folder and its pinned dependencies by uv: `python install.py .` or `… '.[dev]'`.

`make` calls it with the Python of a new environment, before anything is there. uv unpacks these two gigabytes several
times faster than pip, but reads none of pip's configuration: so it is told where pip would look. Any exit status but 0
means that pip should do it.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping

SOURCES = ("index-url", "extra-index-url", "find-links", "trusted-host")  # one or several, between spaces
VARIABLES = {"cert": ("SSL_CERT_FILE",), "client-cert": ("SSL_CLIENT_CERT",), "proxy": ("HTTP_PROXY", "HTTPS_PROXY")}


def main(package: str) -> int:
    """Brings uv, then `package` and what it needs; the status of the first step that fails."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    pinned = ["--quiet", "--constraint", "constraints.txt"]
    listed = subprocess.run([*pip, "config", "list"], stdout=subprocess.PIPE, text=True, check=False)
    config = configuration(listed.stdout)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable, *options(config)]
    brought = listed.returncode or subprocess.run([*pip, "install", *pinned, "uv"], check=False).returncode
    if brought:
        return brought
    environment = variables(config) | os.environ
    return subprocess.run([*uv, *pinned, "--editable", package], env=environment, check=False).returncode


def configuration(listed: str) -> dict[str, str]:
    """What `pip config list` says of installing, by option: a command's own goes before `global`, the environment's
    before both."""
    ranks = ("global", "install", ":env:")
    entries = [line.partition("=") for line in listed.splitlines()]
    keys = [(name.rpartition("."), ast.literal_eval(value)) for name, _, value in entries]
    known = [(ranks.index(section), option, str(value)) for (section, _, option), value in keys if section in ranks]
    return {option: value for _, option, value in sorted(known)}


def options(config: Mapping[str, str]) -> list[str]:
    """uv's options for where pip would look; among several places it takes the best version, as pip does."""
    given = ["--index-strategy", "unsafe-best-match"]
    for option in SOURCES:
        name = "--allow-insecure-host" if option == "trusted-host" else f"--{option}"
        given += [part for value in config.get(option, "").split() for part in (name, value)]
    if config.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        given.append("--no-index")
    return given


def variables(config: Mapping[str, str]) -> dict[str, str]:
    """Environment variables for what uv has no option for."""
    return {name: config[option] for option, names in VARIABLES.items() if option in config for name in names}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
