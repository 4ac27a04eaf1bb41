"""What several test folders share."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures import tiny

if TYPE_CHECKING:
    from tasks.lm.models import OpenedModel


@pytest.fixture
def precision(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Makes the processor one that computes bf16, or one that does not (the default), whatever it is: torch emulates
    bf16 where it must. What a test compares should not hang on the machine."""
    import torch

    name = getattr(request, "param", "fp32")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": name == "bf16"})
    return str(name)


BOTH_PRECISIONS = pytest.mark.parametrize("precision", ["fp32", "bf16"], indirect=True)


@pytest.fixture(scope="session")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the three tiny models."""
    folder = tmp_path_factory.mktemp("ladder")
    for name, layers in tiny.MODELS.items():
        tiny.make_model(folder / name, layers)
    return folder


@pytest.fixture(scope="session")
def opened(ladder: Path) -> "OpenedModel":
    """The smallest of them, ready for use."""
    from tests.support.precision import opened_in_fp32

    return opened_in_fp32(ladder / next(iter(tiny.MODELS)))
