"""Checkpoints of a training run, as bytes: everything that the next step depends on.

No random state is saved: the batch and the random draws of step i are functions of (seed, i).
"""

import io
from typing import Any, Protocol

import torch

from audioae.errors import ModelError

FORMAT = 1
RESTART = "delete it to train from the start"


class Checkpoints(Protocol):
    """Storage for the latest checkpoint of one run; the store implements it. `save` must be atomic."""

    def load(self) -> bytes | None: ...

    def save(self, content: bytes) -> None: ...


def pack(run: dict[str, Any], state: dict[str, Any]) -> bytes:
    """Serialize `state`; `run` identifies the run by its configs and data."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "run": run, "state": state}, buffer)
    return buffer.getvalue()


def unpack(content: bytes, run: dict[str, Any]) -> dict[str, Any]:
    """Return the state in `content`.

    Raises
    ------
    ModelError
        If the content cannot be read, has another format, or belongs to a run other than `run`.
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
        raise ModelError(f"checkpoint belongs to another run (different: {', '.join(differing)}); {RESTART}")
    return checkpoint["state"]
