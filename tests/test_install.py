"""install.py tells uv where pip would look."""

import os
import shutil
import subprocess
import sys
import zipfile
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
    config = of_pip(tmp_path, FILE, {"PIP_INDEX_URL": "https://here.example/simple"})
    assert config["index-url"] == "https://here.example/simple"


def test_every_place_is_told_to_uv_and_none_stands_on_its_command_line(tmp_path: Path) -> None:
    config = of_pip(tmp_path, FILE, {"PIP_PROXY": "http://proxy.example:3128"})
    wanted = ("index-url", "extra-index-url", "find-links", "cert", "proxy")
    assert install.variables({name: config[name] for name in wanted}) == {
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_INDEX_URL": "https://install.example/simple",
        "UV_EXTRA_INDEX_URL": "https://a.example/simple https://b.example/simple",
        "UV_FIND_LINKS": "/srv/one,/srv/two",
        "SSL_CERT_FILE": "/etc/ssl/one.pem",
        "HTTP_PROXY": "http://proxy.example:3128",
        "HTTPS_PROXY": "http://proxy.example:3128",
    }


def test_a_real_uv_finds_what_stands_where_pip_is_told_to_look(tmp_path: Path) -> None:
    for number in (1, 2):
        places = tmp_path / str(number)
        places.mkdir()
        with zipfile.ZipFile(places / f"tiny_one-{number}-py3-none-any.whl", "w") as wheel:
            wheel.writestr("tiny_one.py", f"NUMBER = {number}\n")
            about = f"tiny_one-{number}.dist-info"
            wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: tiny-one\nVersion: {number}\n")
            wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{about}/RECORD", "")
    config = of_pip(tmp_path, f"[global]\nfind-links = {tmp_path / '1'}\n    {tmp_path / '2'}\n", {})
    given = os.environ | install.variables({"find-links": config["find-links"]})
    command = [sys.executable, "-m", "uv", "pip", "install", "--no-index", "--target", str(tmp_path / "made")]
    subprocess.run([*command, "tiny-one"], env=given, check=True)
    assert (tmp_path / "made" / "tiny_one.py").read_text() == "NUMBER = 2\n"


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


@pytest.mark.parametrize("interrupted", [True, False])
def test_make_begins_an_interrupted_installation_anew_and_keeps_any_other(tmp_path: Path, interrupted: bool) -> None:
    """uv takes a package of which half the files are there for installed."""
    shutil.copy(Path(install.__file__).with_name("Makefile"), tmp_path)
    (tmp_path / ".venv").mkdir()
    kept = tmp_path / ".venv" / "half a package"
    kept.touch()
    if interrupted:
        (tmp_path / ".venv" / ".installing").touch()
    subprocess.run(["make", "--dry-run", ".venv/.installed"], cwd=tmp_path, capture_output=True, check=False)
    assert kept.exists() is not interrupted
