"""Paths of other systems: the same files below other folders."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from audioae.pipeline.alias_paths import NO_VALUE, NONE, SEVERAL, find_unique, match_paths

OURS = [
    "/nas/music/Bob/Live/01 Intro.flac",
    "/nas/music/Bob/Live/02 Song.flac",
    "/nas/music/Ann/Best/01 Intro.flac",
    "/nas/music/Ann/Best/02 Näme.flac",
    "/nas/music/single.flac",
]


def match(
    paths: Sequence[str | None], ours: list[str] = OURS, groups: list[int] | None = None, **prefixes
) -> list[int]:
    texts = [pa.array(column, pa.string()) for column in (paths, ours)]
    rows = np.arange(len(ours)) if groups is None else np.array(groups)
    return match_paths(texts[0], texts[1], rows, prefixes.get("strip_prefix"), prefixes.get("path_prefix")).tolist()


def moved(root: str) -> list[str]:
    return [path.replace("/nas/music", root) for path in OURS]


@pytest.mark.parametrize(
    ("root", "single"),
    [("/music", 4), ("/nas/music", 4), ("/x/nas/music", 4), ("/a/b/c/d", NONE), ("D:/Music", NONE), ("/", NONE)],
)
def test_music_that_is_mounted_elsewhere(root: str, single: int):
    """A file that is in no folder of its own agrees in its name only."""
    assert match(moved(root)) == [0, 1, 2, 3, single]


def test_one_name_is_not_enough_unless_it_is_the_whole_path():
    assert match(["/other/single.flac", "single.flac", "/single.flac"]) == [NONE, 4, NONE]
    assert match(["Live/02 Song.flac", "02 Song.flac", "01 Intro.flac"]) == [1, 1, SEVERAL]


def test_the_longest_agreement_counts():
    ours = ["/a/Bob/Hits/1.flac", "/a/Ann/Hits/1.flac", "/a/Hits/1.flac"]
    theirs = ["/m/Bob/Hits/1.flac", "/m/Ann/Hits/1.flac", "/m/Eve/Hits/1.flac"]
    assert match(theirs, ours) == [0, 1, SEVERAL]


def test_a_track_that_the_catalog_does_not_have_is_not_taken_for_its_namesake():
    theirs = [*moved("/music"), "/music/Eve/Live/02 Song.flac"]
    assert match(theirs) == [0, 1, 2, 3, 4, NONE]
    assert match([*OURS, "/nas/music/Eve/Live/02 Song.flac"]) == [0, 1, 2, 3, 4, NONE]
    relative = [path.removeprefix("/nas/music/") for path in OURS]
    assert match([*relative, "Eve/Live/02 Song.flac"]) == [0, 1, 2, 3, 4, NONE]


def test_several_mounts():
    ours = [f"/nas/{root}/{band}/{i}.flac" for root in ("rock", "jazz") for band in "AB" for i in range(3)]
    theirs = [path.replace("/nas/rock", "/r").replace("/nas/jazz", "/deep/down/j") for path in ours]
    assert match(theirs, ours) == [SEVERAL] * 12, "A/0.flac is in both"
    named = [f"/nas/{root}/{band}{root}/{i}.flac" for root in ("rock", "jazz") for band in "AB" for i in range(3)]
    theirs = [path.replace("/nas/rock/", "/r/").replace("/nas/jazz/", "/deep/down/j/") for path in named]
    assert match(theirs, named) == list(range(12))


def test_prefixes():
    theirs = moved("/music")
    assert match(theirs, strip_prefix="/music") == [0, 1, 2, 3, 4]
    assert match(theirs, strip_prefix="/music/", path_prefix="/nas/music/") == [0, 1, 2, 3, 4]
    assert match(theirs, strip_prefix="/music", path_prefix="/elsewhere") == [NONE] * 5
    assert match(["Bob/Live/01 Intro.flac", "/Eve/Live/02 Song.flac"], path_prefix="/nas/music") == [0, NONE]
    assert match(["/music/Eve/Live/02 Song.flac"], strip_prefix="/music") == [NONE]


def test_windows_unicode_and_nothing():
    assert match(["D:\\Music\\Bob\\Live\\02 Song.flac", "/m/Best/02 Na\u0308me.flac", None, ""]) == [
        *(1, 3, NO_VALUE, NONE)
    ]
    assert match([], OURS) == []
    assert match(["/a/b.flac"], []) == [NONE]


def test_copies_are_one_track_and_a_copy_that_is_named_is_found():
    ours = ["/nas/A/1.flac", "/nas/B/A/1.flac", "/nas/C/A/1.flac"]
    assert match(["/m/A/1.flac", "/m/C/A/1.flac"], ours, groups=[0, 0, 0]) == [0, 2]
    assert match(["/m/A/1.flac"], ours, groups=[0, 0, 2]) == [SEVERAL]


def test_paths_deeper_than_what_is_told_apart():
    deep = "/".join(["", *"abcdefghijklmnopqrstuvwxyz"])
    assert [match([path], [deep]) for path in (deep, "/x" + deep, "z")] == [[0], [0], [0]]


def test_find_unique_prefers_the_original():
    keys = pa.array(["x", "x", None, "y"])
    assert find_unique(pa.array(["x", "y", "z", None]), keys, np.array([1, 1, 2, 3])).tolist() == [1, 3, NONE, NO_VALUE]
