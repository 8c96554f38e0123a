"""What goes wrong while a file is looked at costs that file, in every function that is called with files."""

import ast
import importlib
import inspect
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import audioae
from audioae.audio import readers
from audioae.audio.blame import blame_file
from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.excerpt import excerpt
from audioae.audio.extract import extract
from audioae.audio.perturbations import read_whole
from audioae.errors import AudioError
from audioae.screening.generated.artifacts import track_artifacts
from tests.audio.made import music, write

PACKAGE = Path(audioae.__file__).parent
RATE_OVERFLOW = b"FORM\0\0\0.AIFFCOMM\0\0\0\x12\0\1\0\0\0\0\0\x10\x7f\xff" + b"\xff" * 8 + b"SSND\0\0\0\x08" + bytes(8)
CUT_IN_MVHD = b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42\0\0\1\0moov\0\0\0lmvhd"
FUNCTIONS: dict[str, Callable[[Path], object]] = {
    "extract": lambda path: extract(path, ClipConfig(), DecodeConfig()),
    "excerpt": lambda path: excerpt(path, None, ClipConfig()),
    "read_whole": read_whole,
    "track_artifacts": lambda path: track_artifacts(path, 2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(("content", "reason"), [(RATE_OVERFLOW, "corrupt"), (CUT_IN_MVHD, "truncated")])
def test_a_header_that_nobody_foresaw_costs_its_file(tmp_path: Path, name: str, content: bytes, reason: str):
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    with pytest.raises(AudioError) as caught:
        FUNCTIONS[name](path)
    assert caught.value.reason == reason


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (IndexError("list index out of range"), "corrupt", "IndexError: list index out of range; download, copy or"),
        (ZeroDivisionError("division by zero"), "corrupt", "ZeroDivisionError: division by zero; download, copy or"),
        (MemoryError(), "out_of_memory", "decoding it needs more memory than there is"),
        (OSError(5, "Input/output error"), "unreadable", "Input/output error; wanted a readable audio file"),
    ],
)
def test_any_exception_costs_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception, reason: str, detail: str
):
    def fail(*_: object) -> None:
        raise error

    path = write(tmp_path / "a.wav", music(4))
    monkeypatch.setattr(readers, "inspect", fail)
    with pytest.raises(AudioError) as caught:
        FUNCTIONS[name](path)
    assert caught.value.reason == reason
    assert caught.value.detail.startswith(detail)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_detail_names_the_file_without_its_folder(tmp_path: Path):
    @blame_file
    def fail(path: str | Path) -> None:
        raise ValueError(f"bad header in {path}")

    for folder in ("one", "another"):
        with pytest.raises(AudioError, match=r"corrupt: ValueError: bad header in a\.wav; download"):
            fail(tmp_path / folder / "a.wav")


def test_a_detail_is_valid_unicode_whatever_the_name():
    def fails(path: str | Path) -> None:
        raise ValueError(f"cannot open {path}")

    with pytest.raises(AudioError) as caught:
        blame_file(fails)(os.fsdecode(b"/music/caf\xe9.mp3"))
    assert caught.value.detail.encode().startswith(b"ValueError: cannot open caf\\udce9.mp3;")


def test_an_interruption_is_no_fault_of_a_file():
    @blame_file
    def stop(path: str | Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop("a.wav")


def test_every_function_that_workers_call_with_a_path_has_the_net():
    functions = {function.__qualname__: function for function in called_in_workers()}
    assert {
        "extract",
        "extract_with_vector",
        "excerpt",
        "analyze_edges",
        "track_artifacts",
        "extract_faulty",
    } <= functions.keys()
    of_files = [f for f in functions.values() if next(iter(inspect.signature(f).parameters)) == "path"]
    assert [f.__qualname__ for f in of_files if not hasattr(f, "__wrapped__") and f.__module__ != TAGS] == []


TAGS = "audioae.catalog.tags"  # reads no sound: a file that it cannot read keeps its place


def called_in_workers() -> Iterator[Callable[..., object]]:
    """The functions that `audioae` passes to `imap_killable`, found in its source."""
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
        passed = [c.args[0] for c in calls if c.func.id == "imap_killable"]  # type: ignore
        names = {node.id for argument in passed for node in ast.walk(argument) if isinstance(node, ast.Name)}
        for node in ast.walk(tree):
            for alias in node.names if isinstance(node, ast.ImportFrom) and node.module else ():
                if alias.name in names:
                    yield getattr(importlib.import_module(str(node.module)), alias.name)  # type: ignore
