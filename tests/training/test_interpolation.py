import pytest
import torch

from tasks.training.interpolation import interpolate


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_weights_lie_between_and_stay_tied(share: float) -> None:
    base = {"a": torch.zeros(3), "b": torch.ones(2), "head": torch.ones(2)}
    shared = torch.tensor([3.0, 5.0])
    tuned = {"a": torch.full((3,), 4.0), "b": shared, "head": shared}
    interpolate(tuned, base, share)
    assert torch.equal(tuned["a"], torch.full((3,), 4 * share))
    assert torch.allclose(tuned["b"], torch.tensor([1 + 2 * share, 1 + 4 * share]))
    assert tuned["b"].data_ptr() == tuned["head"].data_ptr()
