"""palms init, palms models --pin, palms sweep --dry-run, palms completion: a study begun without reading a manual."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from flows import cli, dag, init, pin
from tasks.lm.folders import fingerprint
from tasks.runtime import config
from tasks.runtime.errors import InputError
from tests.support.flow_trees import REPO, Tree


def palms(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.chdir(folder)
    return cli.main(arguments)


@pytest.mark.parametrize(
    ("language", "categories"), [("en", "ocean,no"), ("es", None), ("de", "klima,wohnen"), ("fr", "santé,travail")]
)
def test_a_new_study_passes_its_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str,
    categories: str | None,
) -> None:  # fmt: skip
    flags = ["--language", language, *(["--categories", categories] if categories else [])]
    assert palms(tmp_path, monkeypatch, "init", "study", *flags) == 0
    assert ("replace them before anything else" in capsys.readouterr().out) == (language == "fr")
    assert palms(tmp_path / "study", monkeypatch, "check") == 0, capsys.readouterr().out
    shown = capsys.readouterr().out
    assert shown.endswith("no problems\n")
    assert all(name in shown for name in (categories or "privacidad,convivencia").split(","))
    assert config.read_params()["curate"]["language"] == language
    params = (tmp_path / "study/params.yaml").read_text("utf-8")
    assert "# Every number of an experiment." in params  # the comments are still there
    status = ["git", "status", "--porcelain"]
    assert subprocess.run(status, cwd=tmp_path / "study", capture_output=True, text=True, check=True).stdout == ""
    assert len(dag.read(tmp_path / "study")) == len(dag.read(REPO))
    assert not list((tmp_path / "study/data/ratings").glob("*.csv"))
    assert (tmp_path / "study/data/ratings/instructions.yaml").is_file()


def test_a_model_of_ones_own_is_pinned(
    tmp_path: Path, ladder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "My Model"
    shutil.copytree(ladder / "tiny-1", model)
    assert palms(tmp_path, monkeypatch, "init", "study", "--model", "My Model") == 0
    assert palms(tmp_path / "study", monkeypatch, "models", "--pin", "my-model") == 0
    assert "my-model is pinned to" in capsys.readouterr().out
    assert palms(tmp_path / "study", monkeypatch, "models") == 0
    assert "* my-model" in capsys.readouterr().out
    assert config.read_params()["models"]["my-model"]["source"]["sha256"] == fingerprint(model)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["there"], "there: there is something already"),
        (["new", "--language", "Deutsch"], "--language: expected an ISO 639 code such as en, found 'Deutsch'"),
        (["new", "--categories", "a,b,c"], "--categories: the example texts are for 2: name so many"),
        (["new", "--categories", "a,b.c"], "--categories: 'b.c': expected letters, digits, - and _ only"),
        (["new", "--model", "smollm"], "--model smollm: not found; expected a model of the catalogue (smollm2-135m, "),
    ],
)
def test_a_choice_that_cannot_be_made_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str],
    message: str,
) -> None:  # fmt: skip
    (tmp_path / "there").mkdir()
    (tmp_path / "there/file").touch()
    assert palms(tmp_path, monkeypatch, "init", *arguments) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert not (tmp_path / "new").exists()


def test_what_no_flag_says_is_asked() -> None:
    answers = iter(["es", "uno, dos", ""])
    choices = init.ask(lambda _: next(answers), None, None, None)
    assert choices == init.Choices("es", ["uno", "dos"], "smollm2-135m")
    assert init.ask(lambda _: "", "de", "", "mine") == init.Choices("de", None, "mine")


CATALOGUE = """models:
  a:
    source: {{kind: path, path: {model}, sha256: null, family: f, license: l}}  # mine
    finetune: {{learning_rate: 2.0e-5, epochs: 3, global_batch_size: 4}}
  b:
    source:
      kind: path
      path: {model}
      sha256: "{zeros}"    # what it was
      family: f
      license: l
    finetune: {{learning_rate: 2.0e-5, epochs: 3, global_batch_size: 4}}
  h:
    source: {{kind: hub, id: a/b, revision: {commit}, family: f, license: l}}
    finetune: {{learning_rate: 2.0e-5, epochs: 3, global_batch_size: 4}}
"""


def test_a_pin_changes_nothing_but_the_hash(tmp_path: Path, ladder: Path) -> None:
    model, params = tmp_path / "tiny", tmp_path / "params.yaml"
    shutil.copytree(ladder / "tiny-1", model)
    text = CATALOGUE.format(model=model, zeros="0" * 64, commit="a" * 40)
    params.write_text(text, "utf-8")
    assert "now" in pin.pin("a", params)
    assert f"it was {'0' * 64}" in pin.pin("b", params)
    expected = text.replace("sha256: null", f"sha256: {fingerprint(model)}")
    assert params.read_text("utf-8") == expected.replace(f'"{"0" * 64}"', fingerprint(model))
    assert "already" in pin.pin("b", params)
    (model / "tokenizer.json").unlink()
    for name, message in (("a", "no tokenizer in this folder"), ("h", "pinned already"), ("c", "no model 'c'")):
        with pytest.raises(InputError, match=message):
            pin.pin(name, params)


def test_a_dry_run_says_what_would_run_and_why(new_tree: Callable[..., Tree]) -> None:
    graph = {"a": [], "b": ["a"], "c": ["x"], "d": ["b", "c"], "e": ["d"]}
    stages = {name: {"cmd": f"echo > {name}", "deps": deps, "outs": [name]} for name, deps in graph.items()}
    tree = new_tree({"dvc.yaml": yaml.safe_dump({"stages": stages}), "x": "1"})
    tree.dvc("repro")
    tree.write({"x": "2"})
    code, output = tree.palms("sweep", "--dry-run", "d")
    assert code == 0, output
    lines = output.splitlines()
    assert {line.split()[0]: line.split()[1:4] for line in lines[1:5]} == {
        "a": ["1", "-", "-"], "b": ["1", "-", "-"], "c": ["-", "-", "1"], "d": ["-", "-", "1"]
    }  # fmt: skip
    assert lines[5:8] == [
        "input x was modified: c",
        "waits for others of these: d",
        "2 of 4 stages are out of date",
    ]
    assert (tree.root / "c").read_text() == "\n"
    assert tree.palms("sweep", "--dry-run", "b")[1].endswith("all stages are up to date\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_shell_completes_commands(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(word in script for word in ("sweep", "dry-run", "models", "pin"))


def test_bash_takes_the_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["completion", "bash"])
    (tmp_path / "palms").write_text(capsys.readouterr().out)
    ask = 'source ./palms; COMP_WORDS=(palms sw); COMP_CWORD=1; COMP_LINE="palms sw"; _shtab_palms palms sw palms'
    command = ["bash", "-c", f"{ask}; echo ${{COMPREPLY[@]}}"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert answer.stdout == "sweep\n", answer.stderr


def test_palms_alone_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "Start with `palms check`" in capsys.readouterr().out


def test_the_examples_are_the_guides() -> None:
    guide = (REPO / "docs/your-own-values.md").read_text("utf-8")
    for path in (REPO / "data/examples/es").rglob("*.yaml"):
        assert f"```yaml\n{path.read_text('utf-8')}```" in guide, path


