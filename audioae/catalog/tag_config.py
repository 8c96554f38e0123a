"""How much a file's tags may cost to read. Light: importing it loads no library of tags."""

from pydantic import Field

from audioae.config import Config


class TagLimits(Config):
    """Limits for reading the tags of one file; a file that exceeds one loses its tags, not its place in the catalog.

    timeout_s : seconds, after which the process that reads is killed.
    memory_mb : memory on top of what the process has.
    read_mb : of the file; covers count.
    reads : number of times that the file is read; each part of a container takes one or two.
    """

    timeout_s: float = Field(default=20.0, gt=0)
    memory_mb: int = Field(default=512, ge=16)
    read_mb: int = Field(default=64, ge=1)
    reads: int = Field(default=100_000, ge=100)
