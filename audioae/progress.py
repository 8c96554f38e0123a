"""Progress of long work, as callbacks that the caller gives.

Conventions: `done` counts from 0 to `total`; the last call has `done == total`.
"""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""What is being done, `done`, `total`."""

Advance = Callable[[int, int], None]
"""`done`, `total`, where what is being done is clear."""
