"""A fan-in reads the ladder, not the folder."""

import pytest

from tasks.formats.checkpoints import Checkpoint, checkpoints
from tasks.runtime.errors import InputError
from tasks.settings.sweep import Arm, Sweep

ARMS = {"values": Arm("values", None, 1), "values-2": Arm("values", None, 2), "values-n20": Arm("values", 20, 1)}


def test_cells_are_rungs_by_arms_in_order() -> None:
    sweep = Sweep(("a", "b"), ("values-2",), ("base", "values-2"))
    assert list(checkpoints(sweep, ARMS)) == [
        Checkpoint("a", "base", "base", 0),
        Checkpoint("a", "values-2", "values", 2),
        Checkpoint("b", "base", "base", 0),
        Checkpoint("b", "values-2", "values", 2),
    ]


def test_a_share_of_a_dataset_is_no_replicate_of_the_whole() -> None:
    sweep = Sweep(("a",), ("values", "values-n20"), ("base", "values", "values-n20"))
    assert [checkpoint.dataset for checkpoint in checkpoints(sweep, ARMS)] == ["base", "values", "values-n20"]


def test_an_arm_outside_the_catalogue_is_named() -> None:
    with pytest.raises(InputError, match="'other' is not in the catalogue"):
        list(checkpoints(Sweep(("a",), ("other",), ("base", "other")), ARMS))
