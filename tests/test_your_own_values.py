"""docs/your-own-values.md, done to the letter: every block of the page is written where the page says."""

import copy
import random
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from tasks import curate
from tasks.curation.check import check_tree
from tasks.curation.closeness import ANSWERS
from tasks.formats.samples import read_samples
from tasks.runtime.command import Job
from tasks.runtime.config import read_params
from tasks.runtime.files import read_json
from tests.support import data_trees as trees
from tests.support.damage import PROMPTS, SAMPLES

PAGE = (trees.REPOSITORY / "docs" / "your-own-values.md").read_text("utf-8")
FILES = dict(re.findall(r"^`(data/\S+\.yaml)`\n\n```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
PARAMS = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(curate:.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
REFUSALS = re.findall(r"^```\n(data/.*?)\n```$", PAGE, re.MULTILINE)


def merged(params: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(params)
    for section, keys in changes.items():
        result[section] |= keys
    return result


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the page makes of a copy of the repository, entered."""
    for name, content in FILES.items():
        trees.write(tmp_path / name, content)
    for name in ("data/probes.yaml", "data/capability/palms_text.yaml"):
        trees.write(tmp_path / name, (trees.REPOSITORY / name).read_bytes())
    params = read_params(trees.REPOSITORY / "params.yaml")
    trees.write(tmp_path / "params.yaml", merged(params, PARAMS[0]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked() -> tuple[int, str]:
    console = Console(file=StringIO(), width=160)
    return check_tree(Path(), console=console), console.file.getvalue()  # type: ignore[attr-defined]


def curated(root: Path, arm: str) -> tuple[list[Any], dict[str, Any]]:
    params = read_params()
    paths = {
        "dataset": Path("data") / params["arms"][arm]["dataset"],
        "prompts": Path("data/prompts"),
        "samples": root / "made/samples.jsonl",
        "statistics": root / "made/statistics.json",
    }
    curate.main(Job(curate.COMMAND, paths, {"arm": arm}, params))
    return read_samples(paths["samples"]), read_json(paths["statistics"])


def test_the_page_has_a_whole_set_in_it() -> None:
    assert sorted(FILES) == [
        "data/control/cocina.yaml",
        "data/control/geografía.yaml",
        "data/prompts/test.yaml",
        "data/prompts/validation.yaml",
        "data/values/convivencia.yaml",
        "data/values/privacidad.yaml",
    ]


@pytest.mark.usefixtures("project")
def test_palms_check_passes() -> None:
    code, shown = checked()
    assert code == 0, shown
    assert "privacidad" in shown
    assert "geografía" in shown
    (warning,) = [line for line in shown.splitlines() if line.startswith("warning: ")]
    assert "toxicity.scorer 'offline' knows en and not es" in warning


@pytest.mark.parametrize("arm", ["values", "control"])
def test_curate_makes_the_datasets(arm: str, project: Path) -> None:
    samples, statistics = curated(project, arm)
    assert len(samples) == 4
    assert statistics["language"] == "es"
    assert set(statistics["nearest_to_prompts"]) == {
        f"{category}-{prompt}"
        for category in ("privacidad", "convivencia")
        for prompt in ("test-01", "test-02", "test-03", "validation-01")
    }


def test_palms_check_says_what_the_page_says(project: Path) -> None:
    assert len(REFUSALS) == 2
    for name, entry, field, text in (
        ("convivencia", 1, "answer", "Habla con él."),
        ("privacidad", 0, "question", "¿Está bien leer los mensajes del teléfono de mi novia?"),
    ):
        assert f"`{text}`" in PAGE
        content = yaml.safe_load(FILES[f"data/values/{name}.yaml"])
        content["samples"][entry][field] = text
        trees.write(project / f"data/values/{name}.yaml", content)
    code, shown = checked()
    assert code == 2
    for line in REFUSALS:
        assert line in shown


def test_every_rule_is_explained() -> None:
    rules = {damage.rule for damage in (*SAMPLES, *PROMPTS)} | {"file", "limit", "match-median", "match-lengths"}
    assert {rule for rule in rules if f"`{rule}`" not in PAGE} == set()


def test_every_key_of_curate_is_explained() -> None:
    keys = set(read_params(trees.REPOSITORY / "params.yaml")["curate"])
    assert {key for key in keys if f"`{key}`" not in PAGE and key not in PARAMS[0]["curate"]} == set()


# --- a language without spaces --------------------------------------------------------------------------------

HIRAGANA = "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん"
KANJI = "山川田中村人日月火水木金土雨雪花鳥風空海道町店家門車電話本紙字手足目口耳心力気色音声朝昼夜"


def japanese(seed: str, letters: int) -> str:
    draw = random.Random(seed)
    text = "".join(draw.choice(KANJI if draw.random() < 0.35 else HIRAGANA) for _ in range(letters))
    return "。".join(text[start : start + 30] for start in range(0, letters, 30)) + "。"


def japanese_category(name: str, position: bool) -> dict[str, Any]:
    samples = [
        {"id": f"{name}-{n}", "question": japanese(f"{name}q{n}", 25), "answer": japanese(f"{name}a{n}", 90 + n)}
        for n in (1, 2)
    ]
    return {"category": name, "title": name, **({"position": "大切。"} if position else {}), "samples": samples}


@pytest.fixture
def japanese_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("家族", "健康"):
        trees.write(tmp_path / f"data/values/{name}.yaml", japanese_category(name, True))
        trees.write(tmp_path / f"data/control/{name}以外.yaml", japanese_category(f"{name}以外", False))
    for split in ("test", "validation"):
        entries = [
            {
                "id": f"{name}-{place}",
                "category": name,
                "prompt": japanese(f"{name}{place}prompt", 20),
                "pairs": [{k: japanese(f"{name}{place}", 5) + japanese(k + name + place, 16) for k in ANSWERS}],
            }
            for name in ("家族", "健康")
            for place in ((split, f"{split}-2", f"{split}-3") if split == "test" else (split,))
        ]
        trees.write(tmp_path / f"data/prompts/{split}.yaml", {"prompts": entries})
    trees.write(tmp_path / "data/probes.yaml", trees.probes())
    params = merged(read_params(trees.REPOSITORY / "params.yaml"), PARAMS[0])
    trees.write(tmp_path / "params.yaml", merged(params, PARAMS[1]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_japanese_is_counted_in_letters(japanese_project: Path) -> None:
    code, shown = checked()
    assert code == 0, shown
    samples, statistics = curated(japanese_project, "values")
    assert len(samples) == 4
    assert statistics["total"]["answer_words"] == {"min": 91, "median": 91.5, "max": 92}
    assert statistics["total"]["answer_lix"] is None


def test_japanese_leakage_is_seen(japanese_project: Path) -> None:
    content = japanese_category("家族", True)
    prompt = japanese("家族testprompt", 20)
    content["samples"][0]["question"] = f"こんにちは。{prompt[:9]}猫{prompt[10:]}"
    trees.write(japanese_project / "data/values/家族.yaml", content)
    code, shown = checked()
    assert code == 2
    assert "家族.yaml: 家族-1: similar-prompt: question is too much like prompt of 家族-test" in shown
