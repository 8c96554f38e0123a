"""What may happen while a file is cut, for processes to import."""

import os
import time
from pathlib import Path

from audioae.audio.listening import Cut


def hang(path, *_):
    note(path)
    time.sleep(600)


def crash(path, *_):
    note(path)
    os._exit(3)


def eat(path, *_):
    note(path)
    return bytes(4 << 30)


def slow(path, *_):
    note(path)
    time.sleep(1.5)
    return Cut(0.0, 1.0, 2.0, b"cut")


def note(path) -> None:
    """Count the calls beside the file."""
    with Path(f"{path}.calls").open("a") as file:
        file.write(".")
