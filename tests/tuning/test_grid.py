from dataclasses import replace

from tasks.settings.finetune import Lora, ModelFinetune
from tasks.settings.tune import Tune
from tasks.tuning import grid

PRESENT = ModelFinetune(learning_rate=2e-4, epochs=1, global_batch_size=2)
TUNE = Tune(
    learning_rate=(1.0, 0.5),
    epochs=(1, 2),
    global_batch_size=(2, 4),
    lora=(None,),
    interpolation=(1.0,),
    capability="validation",
    most_lost=0.1,
    most_lost_task=0.7,
    most_looping=0.1,
    most_nats=0.02,
    most_strange=0.35,
    controls=2,
)


def test_every_combination_is_a_recipe_the_gentlest_first() -> None:
    tried = grid.candidates(PRESENT, TUNE)
    first = ["lr1e-4-e1-b4", "lr1e-4-e1-b2", "lr2e-4-e1-b4", "lr2e-4-e1-b2"]
    assert [candidate.name for candidate in tried[:4]] == first
    assert len(tried) == len({candidate.name for candidate in tried}) == 8
    assert tried[3].recipe == PRESENT


def test_method_and_interpolation_stand_in_the_name() -> None:
    lora = Lora(rank=8, alpha=16.0, dropout=0.0, targets="all-linear")
    tune = replace(TUNE, epochs=(1,), learning_rate=(1.0,), global_batch_size=(2,), lora=(None, lora))
    tried = grid.candidates(PRESENT, replace(tune, interpolation=(0.5, 1.0)))
    assert [each.name for each in tried] == [f"lr2e-4-e1-b2{end}" for end in ("-w0p5", "", "-r8-w0p5", "-r8")]
    assert tried[3].recipe.lora == lora


def test_each_is_an_arm_of_each_dataset() -> None:
    tried = grid.candidates(PRESENT, TUNE)[:1]
    arms = grid.arms(tried, ["values", "control"])
    assert list(arms) == ["values-lr1e-4-e1-b4", "control-lr1e-4-e1-b4"]
    assert arms["values-lr1e-4-e1-b4"]["recipe"]["learning_rate"] == 1e-4
    assert grid.candidates(PRESENT, TUNE)[0].name.replace("-", "").isalnum()
