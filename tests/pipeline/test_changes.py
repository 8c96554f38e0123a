"""What a change of the catalog costs (files decoded, embedded) and changes: docs/catalog.md, row by row."""

import shutil
from pathlib import Path

import pytest

from audioae.pipeline.mels import compute_mels, plan_mels
from tests.pipeline.daily import Daily, retag, write_track


@pytest.fixture(params=[None, 1], ids=["stored", "sample"])
def daily(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Daily:
    return Daily(tmp_path, monkeypatch, stored=request.param)


def cost(day) -> tuple[int, int]:
    return len(day.decoded), day.embedded


def test_the_first_run_decodes_each_file_once_and_the_next_none(daily: Daily):
    first = daily.run()
    assert cost(first) == (12, 12)
    again = daily.run()
    assert cost(again) == (0, 0)
    assert again.version == first.version


def test_edited_tags_decode_nothing(daily: Daily):
    before = daily.run()
    for name in ("a00.mp3", "a05.mp3"):
        retag(daily.music / name, "another title")
    after = daily.run()
    assert cost(after) == (0, 0)
    assert after.tracks["a05.mp3"]["title"] == "another title"
    assert after.tracks["a05.mp3"]["track_id"] == before.tracks["a05.mp3"]["track_id"]
    assert after.embeddings == before.embeddings


def test_edited_audio_decodes_that_file(daily: Daily):
    before = daily.run()
    write_track(daily.music / "a05.mp3", 99)
    after = daily.run()
    assert after.decoded == ["a05.mp3"]
    assert after.embedded == 1
    assert after.embeddings.keys() == before.embeddings.keys()
    assert [t for t in before.embeddings if after.embeddings[t] != before.embeddings[t]] == [
        before.tracks["a05.mp3"]["track_id"]
    ]


def test_a_removed_file_decodes_nothing(daily: Daily):
    before = daily.run()
    (daily.music / "a05.mp3").unlink()
    after = daily.run()
    assert cost(after) == (0, 0)
    del before.embeddings[before.tracks["a05.mp3"]["track_id"]]
    assert after.embeddings == before.embeddings


def test_a_new_file_decodes_one(daily: Daily):
    before = daily.run()
    write_track(daily.music / "a005.mp3", 77)
    after = daily.run()
    assert after.decoded == ["a005.mp3"]
    assert after.embedded == 1
    assert len(after.embeddings) == 13
    assert before.embeddings.items() <= after.embeddings.items()


@pytest.mark.parametrize("target", ["b.mp3", "deep/er/a05.mp3"], ids=["renamed", "moved"])
def test_a_moved_file_decodes_nothing_and_keeps_its_id(daily: Daily, target: str):
    before = daily.run()
    (daily.music / target).parent.mkdir(parents=True, exist_ok=True)
    (daily.music / "a05.mp3").rename(daily.music / target)
    after = daily.run()
    assert cost(after) == (0, 0)
    assert after.embeddings == before.embeddings
    was, now = before.tracks["a05.mp3"], after.tracks[Path(target).name]
    assert [now[name] for name in ("track_id", "shard", "added_at")] == [
        was[name] for name in ("track_id", "shard", "added_at")
    ]
    assert now["uri"] == str(daily.music / target)
    assert cost(daily.run()) == (0, 0)


def test_a_file_that_is_moved_and_tagged_at_once_keeps_its_id(daily: Daily):
    before = daily.run()
    (daily.music / "a05.mp3").rename(daily.music / "Artist - Title.mp3")
    retag(daily.music / "Artist - Title.mp3", "Title")
    after = daily.run()
    assert cost(after) == (0, 0)
    assert after.embeddings == before.embeddings


def test_a_moved_file_keeps_its_id_when_it_is_edited_later_and_its_old_path_is_used_again(daily: Daily):
    before = daily.run()
    (daily.music / "a05.mp3").rename(daily.music / "b.mp3")
    moved = daily.run().tracks["b.mp3"]["track_id"]
    assert moved == before.tracks["a05.mp3"]["track_id"]
    write_track(daily.music / "b.mp3", 50)
    write_track(daily.music / "a05.mp3", 51)
    after = daily.run()
    assert sorted(after.decoded) == ["a05.mp3", "b.mp3"]
    assert after.tracks["b.mp3"]["track_id"] == moved
    assert after.tracks["a05.mp3"]["track_id"] not in before.embeddings
    assert len(after.embeddings) == 13
    again = daily.run()
    assert again.version == after.version


def test_a_renamed_root_decodes_nothing(daily: Daily):
    before = daily.run()
    daily.music = daily.music.rename(daily.music.with_name("elsewhere"))
    after = daily.run()
    assert cost(after) == (0, 0)
    assert after.embeddings == before.embeddings
    assert after.tracks["a00.mp3"]["track_id"] == before.tracks["a00.mp3"]["track_id"]


def test_another_label_decodes_nothing_also_if_it_is_the_folder(daily: Daily):
    daily.options["label_from"] = "folder"
    before = daily.run()
    (daily.music / "techno").mkdir()
    for i in range(5):
        (daily.music / f"a{i:02d}.mp3").rename(daily.music / "techno" / f"a{i:02d}.mp3")
    after = daily.run()
    assert cost(after) == (0, 0)
    assert after.embeddings == before.embeddings
    assert [after.tracks[f"a{i:02d}.mp3"]["label"] for i in (0, 4)] == ["techno", "techno"]


def test_two_equal_files_that_move_together_get_new_ids_and_decode_nothing(daily: Daily):
    shutil.copy(daily.music / "a05.mp3", daily.music / "a06b.mp3")
    before = daily.run()
    assert len(before.decoded) == 12
    (daily.music / "b").mkdir()
    for name in ("a05.mp3", "a06b.mp3"):
        (daily.music / name).rename(daily.music / "b" / name)
    after = daily.run()
    assert cost(after) == (0, 0)
    new = [after.tracks[name] for name in ("a05.mp3", "a06b.mp3")]
    assert not {row["track_id"] for row in new} & {row["track_id"] for row in before.tracks.values()}
    (kept,) = (row["track_id"] for row in new if row["duplicate_of"] is None)
    was = next(before.tracks[n] for n in ("a05.mp3", "a06b.mp3") if before.tracks[n]["duplicate_of"] is None)
    assert after.embeddings[kept] == before.embeddings[was["track_id"]]


def test_the_original_stays_the_one_that_is_kept(daily: Daily):
    before = daily.run()
    for i in range(4):  # some of them have a lower track_id
        shutil.copy(daily.music / "a11.mp3", daily.music / f"copy{i}.mp3")
    after = daily.run()
    original = before.tracks["a11.mp3"]["track_id"]
    copies = [after.tracks[f"copy{i}.mp3"] for i in range(4)]
    assert [row["duplicate_of"] for row in copies] == [original] * 4
    assert min(row["track_id"] for row in copies) < original
    assert {row["shard"] for row in copies} == {after.tracks["a11.mp3"]["shard"]}
    assert after.embeddings == before.embeddings


def test_a_path_that_is_used_again_and_again_gives_new_ids(daily: Daily):
    path = daily.music / "a05.mp3"
    daily.catalog()
    ids = set()
    for i in range(3):
        path.rename(daily.music / f"moved{i}.mp3")
        daily.catalog()
        write_track(path, 200 + i)
        ids = set(daily.store.read(daily.catalog(), ["track_id"])["track_id"].to_pylist())
    assert len(ids) == 15


def test_a_copy_whose_original_is_removed_is_not_decoded(daily: Daily):
    shutil.copy(daily.music / "a00.mp3", daily.music / "z.mp3")
    before = daily.run()
    assert len(before.decoded) == 12
    assert before.tracks["z.mp3"]["duplicate_of"] == before.tracks["a00.mp3"]["track_id"]
    assert before.tracks["z.mp3"]["shard"] != before.tracks["a00.mp3"]["shard"]
    (daily.music / "a00.mp3").unlink()
    after = daily.run()
    assert cost(after) == (0, 0)
    copy = after.tracks["z.mp3"]
    assert copy["duplicate_of"] is None
    assert copy["track_id"] == before.tracks["z.mp3"]["track_id"]
    assert after.embeddings[copy["track_id"]] == before.embeddings[before.tracks["a00.mp3"]["track_id"]]


def test_a_file_replaced_by_another_while_it_moved_is_not_decoded_itself(daily: Daily):
    before = daily.run()
    (daily.music / "a05.mp3").rename(daily.music / "b.mp3")
    write_track(daily.music / "a05.mp3", 60)
    after = daily.run()
    assert after.decoded == ["a05.mp3"]
    was = before.tracks["a05.mp3"]["track_id"]
    assert after.tracks["a05.mp3"]["track_id"] == was
    assert after.embeddings[after.tracks["b.mp3"]["track_id"]] == before.embeddings[was]


def write_manifest(daily: Daily, ids: str, label: str, with_ids: bool = True) -> None:
    names = sorted(path.name for path in daily.music.iterdir())
    head, rows = "path,label", [f"music/{name},{label}" for name in names]
    if with_ids:
        head, rows = f"track_id,{head}", [f"{ids}{i},{row}" for i, row in enumerate(rows)]
    daily.source = daily.music.with_name("manifest.csv")
    daily.source.write_text("\n".join([head, *rows]))


@pytest.mark.parametrize("with_ids", [True, False])
def test_another_label_in_a_manifest_decodes_nothing(daily: Daily, with_ids: bool):
    write_manifest(daily, "x", "rock", with_ids)
    before = daily.run()
    write_manifest(daily, "x", "pop", with_ids)
    after = daily.run()
    assert cost(after) == (0, 0)
    assert {row["label"] for row in after.tracks.values()} == {"pop"}
    assert after.embeddings == before.embeddings


def test_the_ids_of_a_manifest_decide_and_decode_nothing(daily: Daily):
    before = daily.run()
    write_manifest(daily, "x", "rock")
    after = daily.run()
    assert cost(after) == (0, 0)
    assert sorted(after.embeddings) == sorted(f"x{i}" for i in range(12))
    assert sorted(after.embeddings.values()) == sorted(before.embeddings.values())
    write_manifest(daily, "y", "rock")
    assert cost(daily.run()) == (0, 0)


def test_what_was_written_without_hashes_of_audio_is_used(daily: Daily, monkeypatch: pytest.MonkeyPatch):
    """Older versions of audioae knew only the hash of the whole file."""
    with monkeypatch.context() as older:
        older.setattr("audioae.catalog.files.hash_audio", lambda path: None)
        before = daily.run()
    assert {row["audio_hash"] for row in before.tracks.values()} == {None}
    daily.music = daily.music.rename(daily.music.with_name("elsewhere"))  # every file is read again
    (daily.music / "a05.mp3").unlink()
    after = daily.run()
    assert cost(after) == (0, 0)
    assert None not in {row["audio_hash"] for row in after.tracks.values()}
    assert after.embeddings.items() <= before.embeddings.items()
    assert len(after.embeddings) == 11


def test_damage_in_what_could_be_copied_is_decoded_instead(daily: Daily):
    before = daily.run()
    shard = before.tracks["a05.mp3"]["shard"]
    store = daily.store
    for dataset in ("embeddings", "mels", "health"):
        for part in store.manifest(store.require(dataset)).parts:
            if part.name.startswith(f"{shard:06d}"):
                path = Path(daily.root) / dataset / "parts" / part.name
                content = bytearray(path.read_bytes())
                content[len(content) // 2] ^= 1
                path.write_bytes(content)
    retag(daily.music / "a05.mp3", "same name of the extraction")
    (daily.music / "a06.mp3").unlink()
    after = daily.run()
    assert set(after.decoded) <= {name for name, row in before.tracks.items() if row["shard"] == shard}
    assert len(after.decoded) == 3
    del before.embeddings[before.tracks["a06.mp3"]["track_id"]]
    assert after.embeddings == before.embeddings


def test_a_rejected_file_is_not_decoded_again_because_another_one_changed(daily: Daily):
    (daily.music / "a05.mp3").write_bytes(b"no audio at all")
    before = daily.run()
    assert len(before.decoded) == 12
    retag(daily.music / "a06.mp3", "new")
    after = daily.run()
    assert cost(after) == (0, 0)
    assert daily.store.read(daily.store.require("rejects"), ["reason"])["reason"].to_pylist() == ["not_audio"]


def test_what_a_killed_run_has_done_is_used_although_the_catalog_changed_since(daily: Daily):
    """Nothing was published, and a file was removed between the runs."""
    tracks = daily.catalog()
    compute_mels(daily.store, daily.mels, tracks, plan_mels(daily.store, daily.mels, tracks), daily.workers)
    done = set(daily.decoded)
    (daily.music / min(done)).unlink()
    after = daily.run()
    assert not done & set(after.decoded)
    assert len(done) + len(after.decoded) == 12
    assert after.embedded == 11


def test_copied_parts_are_byte_identical_to_computed_ones(daily: Daily, tmp_path: Path, monkeypatch):
    daily.run()
    write_track(daily.music / "a05.mp3", 99)
    copied = daily.run()
    (tmp_path / "fresh").mkdir()
    fresh = Daily(tmp_path / "fresh", monkeypatch, n=0, stored=daily.mels.max_stored_tracks)
    fresh.music = daily.music
    fresh.model = daily.model
    computed = fresh.run()
    assert len(computed.decoded) == 12
    for dataset in ("health", "rejects", "mels", "embeddings"):
        parts = [[(p.name, p.sha256) for p in s.manifest(s.require(dataset)).parts] for s in (daily.store, fresh.store)]
        assert parts[0] == parts[1], dataset
    assert copied.embeddings == computed.embeddings
