"""`--shards i/n`: one share of a stage, for a job array of any scheduler. Neither Prefect nor Dask takes part.

Conventions
-----------
- Shares are numbered from 1 to n, and share i has every n-th shard of *all* shards of the stage. So shares that start
  at different times, or start again, never overlap and leave nothing out, whatever is computed already.
- What all shards need (the training of an index) is made by share 1; the others wait for it.
- Each share tries to publish when it is done, and only a complete stage is published: the last one to finish does it.
  If two do, they publish the same version.
- `auto` takes i and n from the job array in which the process runs; `auto/n` where that does not tell n (Kubernetes).

Source: Slurm, "Job Array Support"; AWS Batch, "Job environment variables"; Kubernetes, "Indexed Job"; Google Cloud,
"Environment variables" of Batch and of Cloud Run jobs.
"""

import logging
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audioae.errors import ConfigError, IncompleteError, StoreError
from audioae.flows.position import POSITION
from audioae.flows.rates import log_rate
from audioae.flows.sharded import SHARDED, ShardedStage
from audioae.settings import PipelineConfig
from audioae.store.manifest import DatasetRef

WANTED = "wanted i/n with i from 1 to n, such as 2/8; or auto (auto/n on Kubernetes) in a job array"
# The variables of each kind of job array: index, number of jobs, and for indices that need not begin at 0, the first,
# the last and the step.
ARRAYS = (
    ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP"),
    ("AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE", "", ""),
    ("CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_COUNT", "", ""),
    ("BATCH_TASK_INDEX", "BATCH_TASK_COUNT", "", ""),
    ("JOB_COMPLETION_INDEX", "", "", ""),
)
WAIT_S = 5.0
LONGEST_WAIT_S = 6 * 3600.0
logger = logging.getLogger("audioae.shares")


@dataclass(frozen=True)
class Share:
    """Share `number` (1 to `n`) of `n`."""

    number: int
    n: int

    def of(self, shards: Sequence[int]) -> list[int]:
        """The shards of this share.

        >>> Share(2, 3).of([4, 5, 6, 7, 9])
        [5, 9]
        """
        return list(shards[self.number - 1 :: self.n])

    def __str__(self) -> str:
        return f"{self.number}/{self.n}"


def parse_share(text: str, environment: Mapping[str, str] = os.environ) -> Share:
    """Parse the value of `--shards`.

    Raises
    ------
    ConfigError
        If it is no share, or `auto` outside of a job array.

    Examples
    --------
    >>> parse_share("2/8"), parse_share("auto/8", {"JOB_COMPLETION_INDEX": "0"})
    (Share(number=2, n=8), Share(number=1, n=8))
    """
    match = re.fullmatch(r"(?:(\d+)|auto)(?:/(\d+))?", text.strip(), re.ASCII)
    if not match or (match[1] and not match[2]):
        raise ConfigError(f"--shards: got {text!r}; {WANTED}")
    number, n = match.groups()
    share = Share(int(number), int(n)) if number else _of_array(text, int(n) if n else None, environment)
    if not 1 <= share.number <= share.n:
        raise ConfigError(f"--shards: got {text!r}, share {share.number} of {share.n}; {WANTED}")
    return share


def share_of_stage(stage: str, config: PipelineConfig, text: str) -> Share:
    """The share of a stage that `--shards` names.

    Raises
    ------
    ConfigError
        If it is no share (`parse_share`), the stage does not work by shard, or the config divides it otherwise.
    """
    share = parse_share(text)
    if stage not in SHARDED:
        what = "the whole chain" if stage == "pipeline" else f"the stage {stage}"
        raise ConfigError(
            f"--shards {text}: {what} does not work by shard; wanted one of {', '.join(SHARDED)}, as in "
            f"`audioae run embed CONFIG --shards {text}`. Run the other stages once, in their order"
        )
    if config.run.runner != "local":
        raise ConfigError(f"--shards {text} divides a stage without Dask; wanted run.runner=local")
    return share


def _of_array(text: str, n: int | None, environment: Mapping[str, str]) -> Share:
    array = next((names for names in ARRAYS if names[0] in environment), None)
    if array is None:
        raise ConfigError(f"--shards {text}: no job array here ({', '.join(names[0] for names in ARRAYS)}); {WANTED}")
    index, count, first, step = (int(environment[name]) if name in environment else None for name in array)
    if count is not None and n not in (None, count):
        raise ConfigError(f"--shards {text}: the job array has {array[1]}={count} jobs; wanted auto")
    if (n := n or count) is None:
        raise ConfigError(f"--shards {text}: {array[0]} does not say how many jobs there are; wanted auto/n")
    position, remainder = divmod((index or 0) - (first or 0), step or 1)
    if remainder or not 0 <= position < n:
        raise ConfigError(
            f"--shards {text}: {array[0]}={index} is not one of {n} indices from {first or 0} in steps of {step or 1}; "
            "submit an unbroken range, such as --array=1-8, or give --shards i/n"
        )
    return Share(position + 1, n)


def run_share(stage: ShardedStage, share: Share) -> DatasetRef | None:
    """Compute what is pending of a share, and publish the stage if nothing else is missing.

    Returns
    -------
    ref : DatasetRef or None
        What was published; None while other shares are missing.
    """
    _prepare(stage, share)
    own = share.of(stage.shards())
    todo = _pending_of(stage, own)
    inputs = ", ".join(map(str, stage.refs.values()))
    logger.info(f"{stage.NAME} {share} of {inputs}: {len(todo)} of {len(own)} shards to compute")
    POSITION.count(lambda: f"{len(todo) - len(_pending_of(stage, todo)):,} of {len(todo):,} shards done")
    if todo:
        stage.compute(todo, log_rate(logger.info, stage.UNIT))
    try:
        ref = stage.commit()
    except IncompleteError:
        missing = len(stage.pending())
        logger.info(
            f"{stage.NAME} {share} is done, {missing} shards of other shares are not; the last share to finish "
            f"publishes (should one never finish, `audioae run {stage.NAME} CONFIG` computes what is missing)"
        )
        return None
    logger.info(f"{stage.NAME} {share} is done, and no shard is missing: published {ref}")
    return ref


def _prepare(stage: ShardedStage, share: Share) -> None:
    """The first share makes what all shards need; the others wait for it."""
    start = time.monotonic()
    while not stage.is_prepared():
        if share.number == 1:
            stage.prepare()
            return
        if time.monotonic() - start > LONGEST_WAIT_S:
            raise StoreError(
                f"{stage.NAME} {share} has waited {LONGEST_WAIT_S / 3600:.0f} h for share 1/{share.n}, which trains "
                f"the index; start share 1/{share.n}, and then this one again"
            )
        logger.info(f"{stage.NAME} {share} waits for share 1/{share.n}, which trains the index")
        time.sleep(WAIT_S)


def _pending_of(stage: ShardedStage, shards: Sequence[int]) -> list[int]:
    pending = set(stage.pending())
    return [shard for shard in shards if shard in pending]
