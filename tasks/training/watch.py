"""Progress and log of a training, and its end when the loss is no number."""

import math
from typing import Any

import transformers

from tasks.runtime.progress import Progress
from tasks.training.loss import diverged

LOG_COLUMNS = ("step", "epoch", "loss", "learning_rate", "grad_norm")


class Watch(transformers.TrainerCallback):
    """Shows progress, keeps the log, and stops a training whose loss is no number any more."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.progress: Progress | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Called after every optimiser step."""
        del args, control, kwargs
        if not logs or "loss" not in logs:
            return
        for key, name in (("loss", "loss"), ("grad_norm", "gradient's norm")):
            if not math.isfinite(logs.get(key, 0.0)):
                raise diverged(f"the {name} is {logs[key]} at step {state.global_step}")
        if state.is_world_process_zero:
            self.progress = self.progress or Progress("finetune", state.max_steps, "steps")
            self.progress.step(note=f"loss {logs['loss']:.3f}")
        row = {"step": state.global_step, "epoch": state.epoch, **logs}
        self.rows.append({key: row[key] for key in LOG_COLUMNS if key in row})
