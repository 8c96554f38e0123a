"""What is gone is not taken for deleted: unmounted disks, unreadable folders, cut listings and manifests."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from audioae.catalog.scan import CatalogConfig
from audioae.errors import ConfigError
from audioae.pipeline.tracks import update_tracks
from audioae.store.dataset import Store
from tests.catalog.made import write_csv

N_DISK, N_ALBUM = 4, 4
DENIED = PermissionError(13, "Permission denied")
ALBUMS = ("disk1/Anna/First", "disk1/Anna/Second", *(f"disk1/{name}/Album" for name in ("Ben", "Cleo", "Dora")))


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Five albums of four tracks on disk1, and four tracks on disk2. The files hold different bytes, no sound."""
    names = [f"{album}/{i}.mp3" for album in ALBUMS for i in range(N_ALBUM)]
    for i, name in enumerate([*names, *(f"disk2/{i}.mp3" for i in range(N_DISK))]):
        (tmp_path / "music" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "music" / name).write_bytes(bytes([i]) * 100)
    return tmp_path / "music"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def update(store: Store, source: Path, **options) -> list[str]:
    """Run the stage; the paths of the tracks, below the source."""
    rows = store.read(update_tracks(store, CatalogConfig(source=str(source), **options))).to_pylist()
    return sorted(os.path.relpath(row["uri"], source) for row in rows)


def empty(folder: Path) -> None:
    """Like an unmounted disk."""
    shutil.rmtree(folder)
    folder.mkdir()


def refused(store: Store, source: Path, message: str, **options) -> None:
    before = store.latest("tracks")
    with pytest.raises(ConfigError, match=message):
        update(store, source, **options)
    assert store.latest("tracks") == before


class TestFolder:
    def test_an_unmounted_disk_is_refused_and_named(self, music: Path, store: Store):
        before = update(store, music)
        empty(music / "disk2")
        refused(
            store, music, r"4 of 24 known tracks are gone: all 4 of .*/music/disk2\. Is a disk not mounted.*max_loss=1"
        )
        after = update(store, music, max_loss=1)
        assert after == [name for name in before if not name.startswith("disk2")]
        assert update(store, music) == after

    def test_a_small_disk_is_refused_whatever_its_share(self, music: Path, store: Store):
        update(store, music)
        empty(music / "disk1" / "Ben" / "Album")
        refused(store, music, r"all 4 of .*/disk1/Ben\.", max_loss=0.5)

    def test_a_link_to_an_unmounted_disk_is_refused(self, music: Path, store: Store, tmp_path: Path):
        (music / "disk2").rename(tmp_path / "mounted")
        (music / "disk1" / "link").symlink_to(tmp_path / "mounted")
        update(store, music)
        (tmp_path / "mounted").rename(tmp_path / "unmounted")
        refused(store, music, r"all 4 of .*/disk1/link\.", max_loss=0.5)

    def test_an_unmounted_source_is_refused(self, music: Path, store: Store):
        update(store, music)
        empty(music)
        refused(store, music, "no audio files in .*: found no files.* Is the disk mounted")

    def test_a_cut_listing_is_refused(self, music: Path, store: Store):
        update(store, music)
        for i, path in enumerate(sorted(music.rglob("*.mp3"))):
            if i % 3 == 0:
                path.unlink()
        refused(store, music, r"8 of 24 known tracks are gone: 8 of them, such as .*\.mp3, .*\.mp3, .*\.mp3\. Is")

    def test_an_album_or_two_tracks_may_be_deleted(self, music: Path, store: Store):
        update(store, music)
        (music / "disk2" / "0.mp3").unlink()
        (music / "disk2" / "1.mp3").unlink()
        assert len(update(store, music)) == 22
        shutil.rmtree(music / "disk1" / "Anna" / "First")
        assert len(update(store, music, max_loss=0.2)) == 18

    def test_without_tolerance_one_track_is_refused(self, music: Path, store: Store):
        update(store, music)
        (music / "disk2" / "0.mp3").unlink()
        refused(store, music, "1 of 24 known tracks are gone: 1 of them, such as .*/disk2/0.mp3", max_loss=0)

    def test_what_was_moved_or_has_a_copy_is_not_lost(self, music: Path, store: Store):
        shutil.copytree(music / "disk2", music / "copies")
        update(store, music)
        shutil.rmtree(music / "disk2")
        (music / "disk1").rename(music / "disk3")
        assert len(update(store, music, max_loss=0)) == 24

    def test_what_the_config_leaves_out_is_not_lost(self, music: Path, store: Store):
        before = update(store, music)
        assert update(store, music, exclude=["disk2"]) == [name for name in before if not name.startswith("disk2")]

    def test_another_source_is_another_catalog(self, music: Path, store: Store, tmp_path: Path):
        update(store, music)
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "a.mp3").write_bytes(b"another")
        assert update(store, tmp_path / "other") == ["a.mp3"]

    def test_a_part_of_the_source_is_the_same_catalog(self, music: Path, store: Store, tmp_path: Path):
        update(store, music)
        shutil.copytree(music / "disk2", tmp_path / "other")
        refused(store, tmp_path / "other", "20 of 24 known tracks are gone")


class TestUnreadable:
    @pytest.fixture
    def forbid(self, monkeypatch: pytest.MonkeyPatch) -> Iterator:
        """A function that makes the paths below a folder unreadable; chmod would do nothing if root runs the tests."""

        def forbid(folder: Path, error: OSError = DENIED) -> None:
            def refusing(function):
                def call(path, *args, **kwargs):
                    if str(path).startswith(str(folder)):
                        raise error
                    return function(path, *args, **kwargs)

                return call

            monkeypatch.setattr(os, "scandir", refusing(os.scandir))
            monkeypatch.setattr(os, "stat", refusing(os.stat))

        yield forbid
        monkeypatch.undo()

    @pytest.mark.parametrize("error", [DENIED, OSError(5, "Input/output error")])
    def test_an_unreadable_folder_keeps_its_tracks(self, music: Path, store: Store, forbid, error: OSError, caplog):
        first = update_tracks(store, CatalogConfig(source=str(music)))
        forbid(music / "disk1", error)
        (music / "disk2" / "0.mp3").unlink()
        after = store.read(update_tracks(store, CatalogConfig(source=str(music)))).to_pylist()
        before = [row for row in store.read(first).to_pylist() if not row["uri"].endswith("/disk2/0.mp3")]
        assert after == before
        assert f"disk1 ({error.strerror}); 20 known tracks below them are kept as they were" in caplog.text

    def test_a_folder_that_is_unreadable_when_settings_change_keeps_its_tracks(self, music: Path, store: Store, forbid):
        before = update(store, music)
        forbid(music / "disk1")
        assert update(store, music, label_from="folder") == before

    def test_an_unreadable_source_is_refused(self, music: Path, store: Store, forbid):
        update(store, music)
        forbid(music)
        refused(store, music, "folder not found")

    def test_a_known_file_that_cannot_be_read_stays_as_it_was(self, music: Path, store: Store, monkeypatch, caplog):
        import builtins

        first = update_tracks(store, CatalogConfig(source=str(music)))
        changed = music / "disk2" / "0.mp3"
        changed.write_bytes(b"longer than before" * 20)
        opened = builtins.open

        def failing(path, *args, **kwargs):
            if str(path) == str(changed):
                raise OSError(116, "Stale file handle")
            return opened(path, *args, **kwargs)

        monkeypatch.setattr(builtins, "open", failing)
        assert update_tracks(store, CatalogConfig(source=str(music))) == first
        assert "1 known files cannot be read now, such as" in caplog.text
        assert "(Stale file handle); they are kept as they were" in caplog.text


class TestManifest:
    @pytest.fixture
    def manifest(self, music: Path) -> Path:
        names = sorted(str(path.relative_to(music)) for path in music.rglob("*.mp3"))
        return write_csv(music / "m.csv", "path", *names)

    def test_a_cut_manifest_is_refused(self, manifest: Path, store: Store):
        update(store, manifest)
        lines = manifest.read_text().splitlines()
        manifest.write_text("\n".join(lines[:15]))
        refused(store, manifest, r"10 of 24 known tracks are gone: 10 of them, such as .*\. Is a disk not mounted")
        manifest.write_text("\n".join(lines[:23]))
        assert len(update(store, manifest)) == 22

    def test_files_that_are_absent_are_lost(self, manifest: Path, store: Store):
        update(store, manifest)
        empty(manifest.parent / "disk2")
        refused(store, manifest, r"4 of 24 known tracks are gone: all 4 of .*/music/disk2\.", max_loss=0.3)
        assert len(update(store, manifest, max_loss=1)) == 24, "the manifest still lists them"

    def test_an_album_may_be_taken_out_of_a_manifest(self, manifest: Path, store: Store):
        update(store, manifest)
        lines = [line for line in manifest.read_text().splitlines() if not line.startswith("disk2")]
        manifest.write_text("\n".join(lines))
        assert len(update(store, manifest, max_loss=0.2)) == 20
