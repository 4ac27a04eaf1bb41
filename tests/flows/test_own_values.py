"""One's own values from their files to the report: docs/your-own-values.md to the letter, in Spanish, and a set in
German with German probes and one test prompt for each category. On one tiny model, through the whole graph."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from flows import cli
from tests.fixtures import tiny
from tests.support import data_trees
from tests.support.flow_trees import PALMS, Tree
from tests.test_your_own_values import FILES, PARAMS, merged

GERMAN_PROBES = {
    "families": [
        {
            "id": "haus",
            "slot": "wer",
            "groups": {"Nachbarn": "Die Nachbarn", "Gäste": "Die Gäste"},
            "templates": ["{wer} waren sehr", "{wer} gelten als"],
        }
    ]
}
LEFT_OUT = "LANGUAGE_NOT_SUPPORTED"


@pytest.fixture(scope="module")
def tree(new_tree: Callable[..., Tree], prefect_url: str, ladder: Path, warm: dict[str, str]) -> Tree:
    made = new_tree({}, PREFECT_API_URL=prefect_url, PALMS_SLOTS="gpu=2,cpu=2", **warm)
    tiny.make_tree(made.root, ladder, ["tiny-1"])
    return made


def begin(tree: Tree, files: dict[str, Any], changes: dict[str, Any]) -> None:
    """Step by step as the guide says: remove the files of the three folders, write one's own and the parameters."""
    for folder in ("values", "control", "prompts"):
        shutil.rmtree(tree.root / "data" / folder)
    for name, content in files.items():
        data_trees.write(tree.root / name, content)
    own = tiny.load(data_trees.REPOSITORY / "params.yaml")["curate"]
    params = tiny.tiny_params(Path(), []) | {"curate": own}  # the guide starts from the project's
    before = tiny.load(tree.root / "params.yaml")
    params |= {"models": before["models"], "sweep": before["sweep"]}
    tiny.write_params(tree.root, merged(params, changes))


def palms(tree: Tree, command: str) -> str:
    code, output = tree.run(*PALMS, command, timeout=600, COLUMNS="160")
    assert code == 0, output
    assert "Traceback" not in output
    return output


def contrasts(tree: Tree, metric: str) -> pd.DataFrame:
    table = pd.read_csv(tree.root / "data/made/significance/contrasts.csv")
    return table[(table["metric"] == metric) & (table["category"] == "all")]


def page(tree: Tree) -> str:
    return (tree.root / "data/made/report/index.html").read_text("utf-8")


@pytest.fixture(scope="module")
def spanish(tree: Tree) -> tuple[str, str]:
    """What `palms check` and `palms sweep` print of the guide's set."""
    begin(tree, FILES, PARAMS[0])
    return palms(tree, "check"), palms(tree, "sweep")


def test_the_guide_runs_to_a_report(tree: Tree, spanish: tuple[str, str]) -> None:
    checked, swept = spanish
    assert re.search(r"^warning: toxicity\.scorer 'offline' knows en and not es", checked, re.MULTILINE)
    assert "data/made/report/index.html" in swept
    assert "failed" not in swept
    tested = contrasts(tree, "adherence")
    assert tested["p"].notna().all(), tested[["contrast", "reason"]]
    assert set(tested["n_prompts"]) == {6}


@pytest.mark.usefixtures("spanish")
def test_toxicity_is_left_out_with_its_reason(tree: Tree) -> None:
    scores = pd.read_parquet(tree.root / "data/made/scores/toxicity.parquet")
    assert scores["score"].isna().all()
    left_out = contrasts(tree, "TOXICITY")
    assert left_out["p"].isna().all()
    assert left_out["reason"].str.contains(f"{LEFT_OUT}: es").all()
    assert LEFT_OUT in page(tree) or "knows no es" in page(tree)


@pytest.mark.usefixtures("spanish")
def test_a_checkpoint_is_exported_with_its_card(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    monkeypatch.chdir(tree.root)
    assert cli.main(["export", "tiny-1", "values", str(tmp_path / "out")]) == 0
    AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert AutoTokenizer.from_pretrained(tmp_path / "out").eos_token == "<eos>"
    text = (tmp_path / "out/README.md").read_text("utf-8")
    about = yaml.safe_load(text.split("---\n")[1])
    assert about["language"] == ["es"]
    assert (about["license"], about["license_name"]) == ("other", "none")  # as the tiny models say
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "Base", "Data", "Recipe", "Findings", "Limits", "Use", "Where it comes from"
    ]  # fmt: skip
    tested = contrasts(tree, "adherence").set_index("contrast").loc["values - control"]
    assert f"| adherence | values − control | {tested['diff']:+.3f} |".replace("-", "−") in text
    assert f"{LEFT_OUT}: es" in text
    assert "| Privacidad | Los datos, las imágenes" in text
    assert "| epochs | `1` |" in text
    assert (tmp_path / "out/report.html").stat().st_size > 10_000
    assert all(path.stat().st_mode & 0o044 for path in (tmp_path / "out").iterdir())  # the cache's own modes are not


@pytest.mark.usefixtures("spanish")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny-1", "base"], "error: tiny-1 base is the model as it came"),
        (["tiny-9", "values"], "error: params.yaml: no 'tiny-9' in `models`"),
        (["tiny-2", "values"], "error: data/made/models/tiny-2/values: not made yet"),
    ],
)
def test_what_cannot_be_exported_is_told(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tree.root)
    assert cli.main(["export", *arguments, str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith(message)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("spanish")
def test_a_card_of_another_model_is_not_written(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tree.root)
    before = (tree.root / "params.yaml").read_text("utf-8")
    params = tiny.load(tree.root / "params.yaml")
    params["finetune"]["max_grad_norm"] = 2.0
    tiny.write_params(tree.root, params)
    try:
        assert cli.main(["export", "tiny-1", "values", str(tmp_path / "out")]) == 2
    finally:
        (tree.root / "params.yaml").write_text(before, "utf-8")
    assert re.search(r"error: finetune@tiny-1-(control|values).*: out of date", capsys.readouterr().err)


@pytest.mark.usefixtures("spanish")
def test_the_datasets_are_read_as_the_hub_reads_them(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.chdir(tree.root)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    out = tmp_path / "texts"
    assert cli.main(["export-data", str(out), "--license", "CC-BY-4.0"]) == 0
    about = yaml.safe_load((out / "README.md").read_text("utf-8").split("---\n")[1])
    assert about["license"] == "cc-by-4.0"
    values = datasets.load_dataset(str(out), "values", split="train", cache_dir=str(tmp_path / "cache"))
    assert values.column_names == ["id", "category", "title", "position", "question", "answer"]
    assert len(values) == 4
    prompts = datasets.load_dataset(str(out), "prompts", cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in prompts.items()} == {"test": 6, "validation": 2}
    assert len(prompts["test"][0]["pairs"]) == 2
    assert set(datasets.get_dataset_config_names(str(out))) == {"control", "prompts", "values"}


def test_german_with_one_prompt_a_category_and_german_probes(tree: Tree, spanish: tuple[str, str]) -> None:
    del spanish  # it goes first, in the same tree
    examples = data_trees.REPOSITORY / "data/examples/de"
    files = {f"data/{path.relative_to(examples)}": path.read_text("utf-8") for path in examples.rglob("*.yaml")}
    test = yaml.safe_load(files["data/prompts/test.yaml"])["prompts"]
    files["data/prompts/test.yaml"] = {"prompts": [prompt for prompt in test if prompt["id"].endswith("-01")]}
    files["data/probes.yaml"] = GERMAN_PROBES
    curate = PARAMS[0]["curate"] | {"language": "de", "prompts_per_category": {"test": 1, "validation": 1}}
    begin(tree, files, {"curate": curate, "cooccurrence": {"language": "de"}})
    warnings = re.findall(r"^warning: (\S+)", palms(tree, "check"), re.MULTILINE)
    assert warnings == ["toxicity.scorer", "curate.prompts_per_category.test", "cooccurrence.lexicon"]
    palms(tree, "sweep")
    untested = contrasts(tree, "adherence")
    assert untested["p"].isna().all()
    assert set(untested["reason"]) == {"no category has two prompts"}
    assert "no category has two prompts" in page(tree)
