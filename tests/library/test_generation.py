"""Files from outside: decoded in a process that can be killed, with the settings of the catalog."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from audioae.audio import extract as extract_module
from audioae.audio.extract import extract
from audioae.errors import AudioError
from audioae.library import generation
from audioae.library.generation import Generation
from audioae.pipeline.config import MelsConfig
from tests.audio import worker_functions
from tests.audio.made import music, write


@pytest.fixture
def library(monkeypatch) -> Generation:
    """One that only knows the settings of its mels; a file may take half a second."""
    monkeypatch.setattr(generation, "Workers", lambda: SimpleNamespace(timeout_s=0.5))
    library = object.__new__(Generation)
    library.__dict__["mels_config"] = MelsConfig()
    return library


def test_a_file_from_outside_gives_what_a_track_gives(library: Generation, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(generation, "Workers", lambda: SimpleNamespace(timeout_s=60.0))
    path, config = write(tmp_path / "a.wav", music(7.0)), MelsConfig()
    there, here = library.extract_file(path), extract(path, config.clips, config.decode)
    assert np.array_equal(there.codes, here.codes)
    assert there.health == here.health


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("hang", "timeout: {}: no answer within 0.5 s; its process was killed"),
        ("segfault", "crashed: {}: its process died: signal 11, SIGSEGV"),
    ],
)
def test_a_hostile_file_costs_one_sentence_that_names_it(library, tmp_path, monkeypatch, name, sentence):
    monkeypatch.setattr(extract_module, "extract", worker_functions.act_by_name)
    with pytest.raises(AudioError) as error:
        library.extract_file(tmp_path / f"{name}.mp3")
    assert str(error.value) == sentence.format(tmp_path / f"{name}.mp3")


def test_a_file_that_cannot_be_used_is_named_as_it_is_shown(library, tmp_path, monkeypatch):
    monkeypatch.setattr(generation, "Workers", lambda: SimpleNamespace(timeout_s=60.0))
    path = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.mp3"))
    path.write_bytes(b"no audio at all")
    with pytest.raises(AudioError, match=r"caf\\xe9\.mp3: "):
        library.extract_file(path)
