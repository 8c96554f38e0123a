"""Whatever goes wrong while a file is looked at costs that file, never the run.

Conventions
-----------
- A function of a file raises `AudioError` for the faults that it knows. What else it raises becomes one: a failing disk
  "unreadable", too little memory "out_of_memory", anything else "corrupt" with the exception's type and words.
- The details do not contain the path, since rejects are stored by content; whoever catches the error knows the file.

Why: decoders and parsers meet bytes that nobody foresaw. Of a hundred thousand tracks one would end the run.
"""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from audioae.errors import AudioError

P = ParamSpec("P")
T = TypeVar("T")


def blame_file(function: Callable[Concatenate[str | Path, P], T]) -> Callable[Concatenate[str | Path, P], T]:
    """Decorate a function whose first argument is the path of an audio file.

    >>> blame_file(lambda path: 1 / 0)("a.wav")
    Traceback (most recent call last):
    audioae.errors.AudioError: corrupt: ZeroDivisionError: division by zero; download, copy or encode the file again
    """

    @wraps(function)
    def call(path: str | Path, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(path, *args, **kwargs)
        except AudioError:
            raise
        except MemoryError:
            raise AudioError("out_of_memory", "decoding it needs more memory than there is") from None
        except OSError as error:
            words = error.strerror or _words(error, path)
            raise AudioError("unreadable", f"{words}; wanted a readable audio file") from error
        except Exception as error:
            detail = f"{_words(error, path)}; download, copy or encode the file again"
            raise AudioError("corrupt", detail) from error

    return call


def _words(error: Exception, path: str | Path) -> str:
    """The type and the words of an exception as valid Unicode, without the folder of the file."""
    words = f"{type(error).__name__}: {error}".replace(str(path), Path(path).name)
    return words.encode("utf-8", "backslashreplace").decode()
