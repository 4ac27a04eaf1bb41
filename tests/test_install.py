"""install.py tells uv where pip would look."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import install

FILE = """
[global]
find-links = /srv/one
    /srv/two
index-url = https://mirror.example/simple
extra-index-url = https://a.example/simple https://b.example/simple
cert = /etc/ssl/one.pem
timeout = 60
[install]
index-url = https://install.example/simple
[download]
index-url = https://download.example/simple
"""


def of_pip(folder: Path, text: str, environment: dict[str, str]) -> dict[str, str]:
    """What pip itself says of a configuration file and an environment."""
    file = folder / "pip.conf"
    file.write_text(text)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    command = [sys.executable, "-m", "pip", "config", "list"]
    # with PIP_CONFIG_FILE the user's own file is not read, and what the machine's file says is replaced here
    given = clean | {"PIP_CONFIG_FILE": str(file), "HOME": str(folder)} | environment
    return install.configuration(subprocess.run(command, env=given, capture_output=True, text=True, check=True).stdout)


def test_a_commands_section_goes_before_global_and_another_commands_is_not_read(tmp_path: Path) -> None:
    config = of_pip(tmp_path, FILE, {})
    assert config["index-url"] == "https://install.example/simple"
    assert config["cert"] == "/etc/ssl/one.pem"


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    config = of_pip(tmp_path, FILE, {"PIP_INDEX_URL": "https://here.example/simple", "PIP_NO_INDEX": "1"})
    assert config["index-url"] == "https://here.example/simple"
    assert "--no-index" in install.options(config)


def test_every_place_is_told_to_uv(tmp_path: Path) -> None:
    config = of_pip(tmp_path, FILE, {})
    given = install.options({name: config[name] for name in ("index-url", "extra-index-url", "find-links")})
    pairs = list(zip(given[::2], given[1::2], strict=True))
    assert pairs == [
        ("--index-strategy", "unsafe-best-match"),
        ("--index-url", "https://install.example/simple"),
        ("--extra-index-url", "https://a.example/simple"),
        ("--extra-index-url", "https://b.example/simple"),
        ("--find-links", "/srv/one"),
        ("--find-links", "/srv/two"),
    ]


def test_certificates_and_proxy_become_environment_variables() -> None:
    config = {"cert": "/c.pem", "proxy": "http://proxy.example:3128"}
    assert install.variables(config) == {
        "SSL_CERT_FILE": "/c.pem",
        "HTTP_PROXY": "http://proxy.example:3128",
        "HTTPS_PROXY": "http://proxy.example:3128",
    }


def test_where_uv_fails_the_status_is_not_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real uv is asked for what no place holds; `make` goes on with pip then."""
    (tmp_path / "constraints.txt").write_text("")
    project = '[project]\nname = "some"\nversion = "1"\ndependencies = ["no-such-one"]\n'
    (tmp_path / "pyproject.toml").write_text(project)
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(
        [sys.executable, str(Path(install.__file__).resolve()), "."], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "no-such-one" in done.stderr or "setuptools" in done.stderr
