"""Checkpoints of a training run, as bytes: everything that the next step depends on.

The random state is not among it: batches and draws of step i are functions of (seed, i).
"""

import io
from typing import Any, Protocol

import torch

from audioae.errors import ModelError

FORMAT = 1
RESTART = "delete it to train from the start"


class Checkpoints(Protocol):
    """Where the latest checkpoint of one run is kept; the store implements it. `save` must be atomic."""

    def load(self) -> bytes | None: ...

    def save(self, content: bytes) -> None: ...


def pack(run: dict[str, Any], state: dict[str, Any]) -> bytes:
    """`state` of the run that `run` identifies (configs and data), as bytes."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "run": run, "state": state}, buffer)
    return buffer.getvalue()


def unpack(content: bytes, run: dict[str, Any]) -> dict[str, Any]:
    """The state in `content`.

    Raises
    ------
    ModelError
        If it cannot be read, has another format, or belongs to another run than `run`.
    """
    try:
        checkpoint = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            f"checkpoint of {len(content)} bytes cannot be read ({type(error).__name__}); {RESTART}"
        ) from error
    if checkpoint.get("format") != FORMAT:
        raise ModelError(f"checkpoint has format {checkpoint.get('format')}, wanted {FORMAT}; {RESTART}")
    if checkpoint["run"] != run:
        differing = sorted(key for key in run if checkpoint["run"].get(key) != run[key])
        raise ModelError(f"checkpoint belongs to another run: {', '.join(differing)} differ; {RESTART}")
    return checkpoint["state"]
