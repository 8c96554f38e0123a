"""Ways in which an object of a store gets damaged."""

from pathlib import Path

DAMAGES = ("byte", "truncated", "emptied", "deleted")


def damage(path: Path, way: str) -> None:
    """Change one bit, cut off the second half, remove the content, or remove the file."""
    content = bytearray(path.read_bytes())
    if way == "deleted":
        path.unlink()
        return
    if way == "byte":
        content[len(content) // 2] ^= 0x04
    path.write_bytes({"byte": content, "truncated": content[: len(content) // 2], "emptied": b""}[way])
