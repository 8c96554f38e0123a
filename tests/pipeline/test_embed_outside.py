"""Files from outside: embedded as the catalog was, in processes that can be killed, within limits."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audioae.api import Library
from audioae.audio.extract import extract
from audioae.audio.workers import close_workers
from audioae.errors import AudioError, ModelError
from audioae.pipeline import embed_outside as module
from audioae.pipeline.config import MelsConfig, OutsideLimits
from audioae.pipeline.embed import load_embedder
from audioae.store.dataset import Store
from tests.audio import worker_functions
from tests.audio.made import music, write
from tests.audio.worker_functions import children
from tests.stores import made_store, random_weights


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return made_store(tmp_path_factory.mktemp("outside") / "store", model=random_weights())


@pytest.mark.parametrize("kind", ["wav", "mp3", "m4a"])
def test_a_file_is_embedded_as_the_pipeline_embeds_it(store: Store, tmp_path: Path, kind: str):
    path, config = write(tmp_path / f"a.{kind}", music(9.0)), MelsConfig()
    embedded, extracted = Library(store).embed(path), extract(path, config.clips, config.decode)
    embedder = load_embedder(store, store.require("model"), "cpu")
    embeddings, errors, levels = embedder.embed(extracted.codes)
    embedding, spread = embedder.pool(embeddings, levels + extracted.peak_db)
    assert np.allclose(embedded.embedding, embedding, atol=1e-6)
    assert embedded.n_clips == len(extracted.codes) == 5
    assert embedded.health == extracted.health
    assert (embedded.padded, embedded.duration_s) == (False, extracted.health["duration_s"])
    assert (embedded.spread, embedded.reconstruction_error) == pytest.approx((spread, errors.mean()), abs=1e-6)


def test_the_calling_process_loads_no_decoder_and_no_torch(store: Store, tmp_path: Path):
    path = write(tmp_path / "a.mp3", music(4.0))
    code = f"""
        import json, sys, audioae
        library = audioae.open({store.root!r})
        n = len(library.similar({str(path)!r}, k=3))
        heavy = ("torch", "numba", "librosa", "av", "soundfile", "soxr", "scipy", "sklearn", "prefect")
        print(json.dumps([n, [name for name in heavy if name in sys.modules]]))
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == [3, []]


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("hang", "timeout: hang.mp3: no answer within 0.5 s; its process was killed"),
        ("segfault", "crashed: hang.mp3: its process died: signal 11, SIGSEGV"),
    ],
)
def test_a_hostile_file_costs_one_sentence_that_calls_it_by_its_name(store, tmp_path, monkeypatch, what, sentence):
    monkeypatch.setattr(module, "embed_file", worker_functions.act_by_name)
    monkeypatch.setattr(module, "load", worker_functions.no_preparation)
    with pytest.raises(AudioError) as error:
        Library(store).embed(tmp_path / f"{what}.mp3", name="hang.mp3", limits=OutsideLimits(timeout_s=0.5))
    assert str(error.value) == sentence


def silence(path: Path, seconds: float, rate: int = 8_000, channels: int = 1) -> Path:
    with soundfile.SoundFile(path, "w", rate, channels) as file:
        block = np.zeros((rate, channels), np.int16)
        for _ in range(round(seconds)):
            file.write(block)
    return path


def wav_header(path: Path, rate: int, channels: int, claimed: int, n_bytes: int) -> Path:
    """A wav whose header claims `claimed` bytes of samples, with `n_bytes` of noise."""
    frame = 2 * channels
    head = b"RIFF" + (claimed + 36 & 0xFFFFFFFF).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    head += (1).to_bytes(2, "little") + channels.to_bytes(2, "little") + rate.to_bytes(4, "little")
    head += (rate * frame & 0xFFFFFFFF).to_bytes(4, "little") + frame.to_bytes(2, "little") + (16).to_bytes(2, "little")
    noise = np.random.default_rng(0).integers(0, 256, n_bytes).astype(np.uint8).tobytes()
    path.write_bytes(head + b"data" + claimed.to_bytes(4, "little") + noise)
    return path


@pytest.mark.parametrize(
    ("make", "limits", "sentence"),
    [
        (lambda path: silence(path / "a.flac", 7200), {"max_s": 3600}, "too_large: a: 7,200 s, wanted at most 3,600 s"),
        (
            lambda path: wav_header(path / "a.wav", 44_100, 2, 3 << 29, 1 << 20),
            {"max_s": 3600},
            "truncated: a: 5.9 of 9130.5 s are in the file",
        ),
        (
            lambda path: wav_header(path / "a.wav", 768_000, 2, 1 << 21, 1 << 21),
            {"max_sample_rate": 384_000},
            "too_large: a: 768,000 Hz, wanted at most 384,000 Hz",
        ),
        (
            lambda path: wav_header(path / "a.wav", 44_100, 16, 1 << 21, 1 << 21),
            {"max_channels": 8},
            "too_large: a: 16 channels, wanted at most 8 channels",
        ),
        (
            lambda path: wav_header(path / "a.wav", 44_100, 255, 510 * 40_000, 510 * 40_000),
            {},
            "corrupt: a: its header claims 44,100 Hz and 255 channels",
        ),
    ],
    ids=["hours", "bytes", "rate", "channels", "many channels"],
)
def test_a_file_beyond_a_limit_is_refused_with_its_reason(store, tmp_path, make, limits, sentence):
    path = make(tmp_path)
    with pytest.raises(AudioError) as error:
        Library(store).embed(path, name="a", limits=OutsideLimits(memory_mb=512, **limits))
    assert str(error.value).startswith(sentence)


def test_a_stream_of_unknown_length_is_as_long_as_what_is_in_it(store, tmp_path):
    path = wav_header(tmp_path / "a.wav", 44_100, 2, 0xFFFFFFFF, 4 * 44_100 * 5)  # what programs write to a pipe
    assert Library(store).embed(path, limits=OutsideLimits(max_s=3600)).duration_s == 5.0


def test_a_file_that_needs_too_much_memory_costs_itself_only(store, tmp_path):
    path = wav_header(tmp_path / "a.wav", 1_000_000, 1, 150 << 20, 150 << 20)  # 75 s, decoded whole: 300 MiB of floats
    library, limits = Library(store), OutsideLimits(memory_mb=128)
    with pytest.raises(AudioError, match="out_of_memory: "):
        library.embed(path, limits=limits)
    assert library.embed(write(tmp_path / "b.wav", music(4.0)), limits=limits).n_clips == 1


def test_a_model_that_cannot_be_loaded_is_no_fault_of_the_file(tmp_path):
    library = Library(made_store(tmp_path / "store"))
    with pytest.raises(ModelError):
        library.embed(write(tmp_path / "a.wav", music(4.0)))


def test_workers_are_started_before_the_first_file(store, tmp_path):
    close_workers()
    library = Library(store)
    library.warm_embedding(2)
    started = children(os.getpid())
    assert len(started) == 2
    library.embed(write(tmp_path / "a.wav", music(4.0)))
    assert children(os.getpid()) == started
