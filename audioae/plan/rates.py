"""What was measured on a sample: the numbers that a plan is computed from.

Conventions
-----------
- A worker is one decoding process on one core. Seconds of workers are the wall time of a stage times its workers, so
  they hold what workers cost each other on this machine.
- Sizes are bytes in the store, per track, or per clip for `mels`.
"""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Rates:
    """Costs per track, clip and step, on one machine.

    Attributes
    ----------
    n_tracks, n_clips, n_rejected : int
        The sample: tracks that were decoded, their clips, and tracks that could not be used.
    workers, cores : int
        Decoding processes while it was measured, and cores of the machine.
    device : str
        Where the model ran: cpu, or the name of a GPU.
    source_bytes, source_s : float
        Mean size and length of a file.
    catalog_s : float
        Seconds per track of listing, hashing and reading tags.
    decode_s : float
        Worker-seconds per track from the file to mels in the store.
    encode_s : float
        Seconds of `device` per clip from a mel to its embedding; of one core if that is a cpu.
    step_s : float
        Seconds per training step, on all cores or on the GPU.
    clips_per_track : float
    stored : dict of str to float
        Bytes per row, by dataset.
    model_bytes : int
    gflops : float
        Speed of a float32 matrix product on all cores: what building an index consists of.
    pq_s : float
        Core-seconds per embedding to make its codes.
    requests_per_shard : dict of str to float
        Requests to the store per shard, by stage.
    seconds : float
        How long measuring took.
    """

    n_tracks: int
    n_clips: int
    n_rejected: int
    workers: int
    cores: int
    device: str
    source_bytes: float
    source_s: float
    catalog_s: float
    decode_s: float
    encode_s: float
    step_s: float
    clips_per_track: float
    model_bytes: int
    gflops: float
    pq_s: float
    seconds: float
    stored: dict[str, float] = field(default_factory=dict)
    requests_per_shard: dict[str, float] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)
