"""The log of a training run: rows in memory, TensorBoard events in a folder, and a callback."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Logs:
    """Collects rows {step, split, name: value}; `rows` starts with the rows that the run has logged so far.

    TensorBoard events after `first_step`, left by a killed run, are replaced.
    """

    def __init__(
        self,
        rows: list[dict[str, Any]],
        log_dir: Path | None,
        on_progress: Callable[[dict[str, Any]], None] | None,
        first_step: int,
        active: bool = True,
    ):
        self.rows = list(rows)
        self.on_progress = on_progress if active else None
        self.writer = None
        if log_dir is not None and active:
            from torch.utils.tensorboard import SummaryWriter  # takes a second to import

            self.writer = SummaryWriter(str(log_dir), purge_step=first_step + 1)
        self.step = first_step
        self.clock = time.perf_counter()

    def train(self, step: int, values: dict[str, float], batch_size: int) -> None:
        """Log a training step, with the clips per second since the last call."""
        now = time.perf_counter()
        rate = (step - self.step) * batch_size / max(now - self.clock, 1e-9)
        self.step, self.clock = step, now
        self.add({"step": step, "split": "train", **values, "clips_per_s": rate})

    def held_out(self, step: int, values: dict[str, float]) -> None:
        """Log a validation; its time does not count as training."""
        self.add({"step": step, "split": "held_out", **values})
        self.clock = time.perf_counter()

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        if self.writer:
            for name, value in row.items():
                if name not in ("step", "split"):
                    self.writer.add_scalar(f"{name}/{row['split']}", value, row["step"])
        if self.on_progress:
            self.on_progress(row)

    def close(self) -> None:
        if self.writer:
            self.writer.close()
