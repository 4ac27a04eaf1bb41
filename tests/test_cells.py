"""A fan-in reads the ladder, not the folder."""

import pytest

from tasks.cells import Cell, cells
from tasks.config import Arm, Sweep
from tasks.errors import InputError

ARMS = {"values": Arm("values", None, 1), "values-2": Arm("values", None, 2), "values-n20": Arm("values", 20, 1)}


def test_cells_are_rungs_by_arms_in_order() -> None:
    sweep = Sweep(("a", "b"), ("values-2",), ("base", "values-2"))
    assert list(cells(sweep, ARMS)) == [
        Cell("a", "base", "base", 0),
        Cell("a", "values-2", "values", 2),
        Cell("b", "base", "base", 0),
        Cell("b", "values-2", "values", 2),
    ]


def test_a_share_of_a_dataset_is_no_replicate_of_the_whole() -> None:
    sweep = Sweep(("a",), ("values", "values-n20"), ("base", "values", "values-n20"))
    assert [cell.dataset for cell in cells(sweep, ARMS)] == ["base", "values", "values-n20"]


def test_an_arm_outside_the_catalogue_is_named() -> None:
    with pytest.raises(InputError, match="'other' is not in the catalogue"):
        list(cells(Sweep(("a",), ("other",), ("base", "other")), ARMS))
