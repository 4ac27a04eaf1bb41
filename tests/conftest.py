"""What several test folders share."""

from pathlib import Path

import pytest

from tests.fixtures import tiny


@pytest.fixture(scope="session")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the three tiny models."""
    folder = tmp_path_factory.mktemp("ladder")
    for name, layers in tiny.MODELS.items():
        tiny.make_model(folder / name, layers)
    return folder
