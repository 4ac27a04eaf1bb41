from pathlib import Path

from ruamel.yaml import YAML

from flows import tune

PARAMS = """\
models:
  small:     # a comment
    source: {kind: hub}
    # chosen by hand
    finetune: {learning_rate: 2.0e-4, epochs: 1, lora: {rank: 8}, # why
               global_batch_size: 2}
  large:
    finetune: {learning_rate: 1.0e-5, epochs: 3, global_batch_size: 4}
  block:
    finetune:
      epochs: 1
"""
RECIPE = {"learning_rate": 1e-4, "epochs": 2, "global_batch_size": 2, "lora": None}


def test_a_recipe_is_written_where_it_stands_and_nowhere_else(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS)
    tune.set_recipe(path, "small", RECIPE)
    start, end = PARAMS.index("{learning_rate: 2"), PARAMS.index("\n  large")
    new = "{learning_rate: 1.0e-4, epochs: 2, global_batch_size: 2}"
    assert path.read_text() == PARAMS[:start] + new + PARAMS[end:]


def test_an_entry_in_block_style_is_written_too(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS)
    tune.set_recipe(path, "block", RECIPE)
    before, after = (YAML(typ="safe").load(text)["models"] for text in (PARAMS, path.read_text()))
    assert after["block"]["finetune"] == {key: value for key, value in RECIPE.items() if value}
    assert after["small"] == before["small"]
    assert "# chosen by hand" in path.read_text()
