"""Models whose weights do not hang on the machine."""

from pathlib import Path

import pytest
import torch

from tasks.lm.models import OpenedModel, open_model


def opened_in_fp32(folder: Path) -> OpenedModel:
    """Opens a model as on a processor that does not compute bf16: it can be used without autocast, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cpu, "get_capabilities", lambda: {})
        return open_model(folder)
