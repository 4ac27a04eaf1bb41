"""Every test of the statistics runs with warnings as errors, but for those of what other tests left to be closed."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            ours = ("error", "ignore::pytest.PytestUnraisableExceptionWarning")
            item.add_marker(pytest.mark.filterwarnings(*ours))
