"""What several test folders share."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures import tiny

if TYPE_CHECKING:
    from tasks.lm.models import OpenedModel


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
    from tasks.lm.models import open_model

    return open_model(ladder / next(iter(tiny.MODELS)))
