"""The files of a folder: order, links, what is left out and how that is said, and faults of a folder."""

import os
import socket
from pathlib import Path

import pytest

from audioae.catalog.folder import Found, list_folder
from audioae.catalog.sources import CatalogConfig
from audioae.errors import ConfigError
from tests.catalog.made import scan_rows, write

ISSUE = "mka mp4 m4b w64 rf64 caf mp2 tta spx wv ape mpc wma ac3 dts webm 3gp au voc"


def listed(folder: Path, **options) -> tuple[list[str], Found]:
    """Paths below the folder, and what else was in it."""
    found = Found()
    blocks = list_folder(CatalogConfig(source=str(folder), **options), found)
    return sorted(os.path.relpath(path, folder) for block in blocks for path in block), found


def relative(folder: Path, **options) -> list[str]:
    return listed(folder, **options)[0]


def notes(folder: Path, **options) -> list[str]:
    return listed(folder, **options)[1].notes()


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_hidden_files_and_other_files_are_skipped(tmp_path: Path):
    names = ["b/2.wav", "b/1.FLAC", "a.wav", ".hidden.wav", ".folder/c.wav", "b/._1.wav", "cover.jpg"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert relative(tmp_path) == ["a.wav", "b/1.FLAC", "b/2.wav"]


def test_links_never_list_a_folder_twice(tmp_path: Path):
    outside = write(tmp_path / "outside" / "o.wav", 1).parent
    (outside / "back").symlink_to(tmp_path)
    music = write(tmp_path / "music" / "album" / "a.wav").parent.parent
    (music / "loop").symlink_to(music)
    (music / "album" / "up").symlink_to(music / "album")
    (music / "again").symlink_to(music / "album")
    (music / "linked").symlink_to(outside)
    (music / "linked twice").symlink_to(outside)
    (music / "file.wav").symlink_to(outside / "o.wav")
    (music / "gone.wav").symlink_to(outside / "no such.wav")
    assert relative(music) == ["album/a.wav", "file.wav", "gone.wav", "linked/o.wav"]


def test_every_audio_suffix_is_taken_by_default(tmp_path: Path):
    names = [f"a.{suffix}" for suffix in ISSUE.split()]
    touch(tmp_path, *names, "a.mkv", "a.txt")
    assert relative(tmp_path) == sorted(names)
    assert relative(tmp_path, video=True) == sorted([*names, "a.mkv"])
    assert relative(tmp_path, extensions=["TXT"]) == ["a.txt"]


def test_the_sound_of_a_video_is_decoded_on_request(tmp_path: Path):
    import av
    import numpy as np

    from audioae.audio.config import ClipConfig, DecodeConfig
    from audioae.audio.decode import decode_track

    sound = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
    with av.open(str(tmp_path / "a.mkv"), "w") as file:
        video, audio = file.add_stream("mpeg4", rate=25), file.add_stream("aac", rate=24_000, layout="mono")
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
        frame.rate = 24_000
        for _ in range(50):
            file.mux(video.encode(av.VideoFrame(64, 48, "yuv420p")))
        file.mux([*video.encode(None), *audio.encode(frame), *audio.encode(None)])
    with pytest.raises(ConfigError, match=r"found 1 \.mkv"):
        scan_rows(tmp_path)
    (row,) = scan_rows(tmp_path, video=True)
    decoded = decode_track(row["uri"], ClipConfig(), DecodeConfig())
    assert decoded.health["duration_s"] == pytest.approx(2, abs=0.1)


def test_files_left_out_by_suffix_are_counted_and_named(tmp_path: Path):
    touch(tmp_path, "a.wav", "a.jpg", "b/b.JPG", "b/c.mka", "README", ".hidden.txt")
    expected = "4 files with other suffixes were left out: .jpg 2, .mka 1, files without a suffix 1"
    assert notes(tmp_path, extensions=["wav"]) == [expected]
    touch(tmp_path, *(f"x.{i}" for i in range(9)))
    assert notes(tmp_path, extensions=["wav"]) == [
        "13 files with other suffixes were left out: .jpg 2, .0 1, .1 1, .2 1, .3 1, .4 1, .5 1, .6 1 and 4 more kinds"
    ]


def test_what_was_left_out_is_said_at_the_end_of_a_scan(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    touch(tmp_path, "b.jpg", "@eaDir/a.wav")
    write(tmp_path / "a.wav")
    with caplog.at_level("INFO", "audioae.catalog"):
        assert len(scan_rows(tmp_path)) == 1
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}: 1 folders of systems were left out: @eaDir 1",
        f"{tmp_path}: 1 files with other suffixes were left out: .jpg 1",
    ]


def test_folders_of_systems_are_left_out(tmp_path: Path):
    names = ["#recycle", "@eaDir", "$RECYCLE.BIN", "lost+found", ".Trash-1000", "System Volume Information", "__MACOSX"]
    touch(tmp_path, "music/a.wav", *(f"{name}/a.wav" for name in names), "music/@EADIR/b.wav", "lost and found/c.wav")
    assert relative(tmp_path) == ["lost and found/c.wav", "music/a.wav"]
    (note,) = notes(tmp_path)
    assert note.startswith("8 folders of systems were left out: #recycle 1, $RECYCLE.BIN 1, .Trash-1000 1, @EADIR 1, ")


@pytest.mark.parametrize(
    ("globs", "left"),
    [
        (["Demos"], ["a.wav", "b/c.wav"]),
        (["Demos/"], ["a.wav", "b/c.wav"]),
        (["/Demos"], ["a.wav", "b/Demos/d.wav", "b/c.wav"]),
        (["b/*.wav"], ["Demos/e.wav", "a.wav", "b/Demos/d.wav"]),
        (["b/**"], ["Demos/e.wav", "a.wav"]),
        (["**/d.wav", "?.wav"], []),
        (["b/**/d.wav", "A.wav"], ["Demos/e.wav", "a.wav", "b/c.wav"]),
        (["[ac].wav"], ["Demos/e.wav", "b/Demos/d.wav"]),
    ],
)
def test_globs_exclude_files_and_folders(tmp_path: Path, globs: list[str], left: list[str]):
    touch(tmp_path, "a.wav", "b/c.wav", "b/Demos/d.wav", "Demos/e.wav", "last.flac")
    paths, found = listed(tmp_path, exclude=tuple(globs))
    assert paths == [*left, "last.flac"]
    assert found.left_out["entries named by catalog.exclude"].total() > 0


def test_special_files_are_counted_and_never_opened(tmp_path: Path):
    write(tmp_path / "a.wav")
    os.mkfifo(tmp_path / "fifo.wav")
    (tmp_path / "link.wav").symlink_to(tmp_path / "fifo.wav")
    (tmp_path / "device.wav").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s.wav"))
        assert [row["title"] for row in scan_rows(tmp_path)] == ["a"]
        assert notes(tmp_path) == ["4 special files were left out: fifo 2, character device 1, socket 1"]


def test_an_unreadable_folder_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch):
    write(tmp_path / "a.wav")
    closed = str(write(tmp_path / "closed" / "b.wav").parent)
    scandir = os.scandir

    def refusing(path):
        if path == closed:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(ConfigError, match=r"closed cannot be read: Permission denied; mount it, or grant access"):
        relative(tmp_path / "closed")
    assert [row["title"] for row in scan_rows(tmp_path)] == ["a"]
    assert f"1 folders or files cannot be read, such as {closed} (Permission denied); 0 known tracks" in caplog.text


def test_a_missing_folder_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"folder not found: .*/nowhere\. Expected a folder of audio files"):
        scan_rows(tmp_path / "nowhere")


def test_an_empty_folder_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"no audio files in .*: found no files; expected .*\.flac"):
        scan_rows(tmp_path)


def test_a_folder_without_audio_is_an_error_that_counts_its_files(tmp_path: Path):
    for name in ("a.jpg", "b.jpg", "c.txt", "README"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=r"found 2 \.jpg, 1 \.txt, 1 files without a suffix; expected"):
        scan_rows(tmp_path)
