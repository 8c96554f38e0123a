"""Walk files made of chunks: a name, a size and a content."""

from collections.abc import Iterator
from typing import Literal

from audioae.audio.integrity.container import MAX_CHUNKS, Bytes, corrupt, number


def chunks(data: Bytes, position: int, order: Literal["little", "big"], kind: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, position of the content, size) of each chunk. Raises `AudioError` "corrupt" if they are too many."""
    for _ in range(MAX_CHUNKS):
        if position + 8 > len(data):
            return
        size = number(data, position + 4, 4, order, kind)
        yield data[position : position + 4], position + 8, size
        position += 8 + size + size % 2
    raise corrupt(kind, 0, f"more than {MAX_CHUNKS:,} chunks")
