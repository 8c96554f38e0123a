"""The catalog on disk: files, tags, truth and faults; an interrupted synthesis is completed, and always the same."""

import contextlib
import csv
import json
import multiprocessing
import signal
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from mutagen import File

from audioae.demo.config import SynthConfig
from audioae.demo.write import PLANTED, TRUTH, _mark, synthesize
from audioae.errors import ConfigError

CONFIG = SynthConfig(n_tracks=24, min_s=4, max_s=5, workers=1)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    steps = []
    folder = synthesize(
        tmp_path_factory.mktemp("synth") / "music", CONFIG, lambda done, total: steps.append((done, total))
    )
    assert [done for done, _ in steps] == list(range(1, len(steps) + 1))
    assert steps[-1][0] == steps[-1][1]
    return folder


@pytest.fixture(scope="module")
def truth(catalog: Path) -> list[dict[str, str]]:
    with (catalog / TRUTH).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def planted(catalog: Path) -> dict[str, list[dict]]:
    kinds: dict[str, list[dict]] = {}
    for row in json.loads((catalog / PLANTED).read_text(encoding="utf-8"))["planted"]:
        kinds.setdefault(row["kind"], []).append(row)
    return kinds


def decode(path: Path) -> tuple[np.ndarray, int]:
    if path.suffix != ".m4a":
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return samples.T, rate
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
        return np.concatenate(frames, axis=1), container.streams.audio[0].rate


def test_every_track_of_the_truth_decodes_to_its_duration(catalog: Path, truth: list[dict[str, str]]):
    for row in truth:
        samples, rate = decode(catalog / row["path"])
        assert rate in (44_100, 48_000), row["path"]
        assert samples.shape[1] / rate == pytest.approx(float(row["duration_s"]), abs=0.08), row["path"]
        assert np.sqrt(np.mean(samples**2)) > 0.02, row["path"]


def test_every_track_of_the_truth_is_tagged(catalog: Path, truth: list[dict[str, str]]):
    for row in truth:
        path = catalog / row["path"]
        tagged: Any = File(path, easy=path.suffix != ".wav")
        tags = tagged.tags
        names = {"title": "TIT2", "artist": "TPE1", "album": "TALB", "genre": "TCON", "date": "TDRC"}
        for name, expected in zip(names, (row[k] for k in ("title", "artist", "album", "label", "year")), strict=True):
            assert str((tags[names[name]].text if path.suffix == ".wav" else tags[name])[0]) == expected, row["path"]


def test_truth_covers_every_style_and_format(truth: list[dict[str, str]]):
    assert len({row["true_label"] for row in truth}) == 12
    assert {row["format"] for row in truth} == {"mp3", "flac", "ogg", "wav", "m4a"}
    assert len({row["path"] for row in truth}) == len(truth)


def test_every_file_is_in_the_truth_or_planted(
    catalog: Path, truth: list[dict[str, str]], planted: dict[str, list[dict]]
):
    files = {str(path.relative_to(catalog)) for path in catalog.rglob("*.*") if path.is_file()}
    accounted = {row["path"] for row in truth} | {row["path"] for rows in planted.values() for row in rows}
    assert files - {PLANTED, TRUTH, ".synth"} == accounted


def test_planted_wrong_labels_differ_from_the_true_ones(truth: list[dict[str, str]], planted: dict[str, list[dict]]):
    wrong = {row["path"] for row in truth if row["label"] != row["true_label"]}
    assert wrong == {row["path"] for row in planted["mislabeled"]}
    assert wrong


def test_copies_have_the_bytes_or_the_waveform_of_their_original(catalog: Path, planted: dict[str, list[dict]]):
    for row in planted["duplicate_exact"]:
        assert (catalog / row["path"]).read_bytes() == (catalog / row["details"]["of"]).read_bytes()
    for row in planted["duplicate_reencoded"]:
        copy, original = (decode(catalog / path)[0].mean(axis=0) for path in (row["path"], row["details"]["of"]))
        assert not row["path"].endswith(Path(row["details"]["of"]).suffix)
        n = min(len(copy), len(original)) - 4096
        spectra = (np.fft.rfft(wave[:n]) for wave in (copy, original))
        lags = np.fft.irfft(np.prod([next(spectra), np.conj(next(spectra))], axis=0), n)  # encoders may delay
        assert lags.max() / np.sqrt(np.sum(copy[:n] ** 2) * np.sum(original[:n] ** 2)) > 0.9


def test_clipped_tracks_touch_full_scale(catalog: Path, truth: list[dict[str, str]], planted: dict[str, list[dict]]):
    clipped = {row["path"] for row in planted["clipped"]}
    for row in truth:
        samples, _ = decode(catalog / row["path"])
        share = np.mean(np.abs(samples) > 0.98)
        assert (share > 0.005) == (row["path"] in clipped), (row["path"], share)


def test_truncated_tracks_are_shorter_than_their_header_states(catalog: Path, planted: dict[str, list[dict]]):
    for row in planted["truncated"]:
        path, full_s = catalog / row["path"], row["details"]["full_s"]
        if row["details"]["format"] in ("mp3", "flac"):  # their header states the duration
            tagged: Any = File(path)
            assert tagged.info.length == pytest.approx(full_s, abs=0.1)
        n_frames = 0
        with soundfile.SoundFile(path) as file, contextlib.suppress(soundfile.LibsndfileError):  # flac: a torn frame
            while n_read := len(file.read(4096)):
                n_frames += n_read
        assert 0.1 * full_s < n_frames / file.samplerate < 0.8 * full_s, row["path"]


def test_files_without_music_are_silent_or_cannot_be_decoded(catalog: Path, planted: dict[str, list[dict]]):
    for row in planted["silent"]:
        assert np.abs(decode(catalog / row["path"])[0]).max() < 1e-3
    content = {row["details"]["content"]: catalog / row["path"] for row in planted["garbage"]}
    assert content["nothing"].stat().st_size == 0
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.read(content["text"])
    assert content["random bytes"].stat().st_size == 200_000


def test_a_finished_catalog_is_kept(catalog: Path):
    before = {path: path.stat().st_mtime_ns for path in catalog.rglob("*")}
    synthesize(catalog, CONFIG)
    assert {path: path.stat().st_mtime_ns for path in catalog.rglob("*")} == before


def test_a_killed_synthesis_is_completed_by_several_workers(catalog: Path, tmp_path: Path):
    folder = tmp_path / "music"
    process = multiprocessing.get_context("spawn").Process(target=synthesize, args=(folder, CONFIG))
    process.start()
    while len(list(folder.rglob("* *.*"))) < 6:
        assert process.is_alive()
        time.sleep(0.05)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not (folder / PLANTED).exists()
    kept = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.name[0].isdigit()}
    synthesize(folder, CONFIG.model_copy(update={"workers": 2}))
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    for name in (PLANTED, TRUTH):
        assert (folder / name).read_bytes() == (catalog / name).read_bytes()
    for path in catalog.rglob("*.flac"):  # ogg files have random serial numbers
        assert (folder / path.relative_to(catalog)).read_bytes() == path.read_bytes()


def test_the_default_catalog_has_the_fingerprint_that_it_always_had():
    """Stores and numbers that were made from it stay valid."""
    assert _mark(SynthConfig()) == "83be353922b41d4f"


def test_a_folder_with_other_files_is_refused(catalog: Path, tmp_path: Path):
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(ConfigError, match="not empty, and not a demo catalog"):
        synthesize(tmp_path, CONFIG)
    with pytest.raises(ConfigError, match="another config"):
        synthesize(catalog, CONFIG.model_copy(update={"seed": 1}))


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        synthesize(tmp_path / "file" / "music", CONFIG)
