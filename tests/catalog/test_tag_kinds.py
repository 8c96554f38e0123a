"""Other tags than a format's own: INFO in wav, NAME in aiff, APEv2 in mp3, ID3 anywhere; encodings, lists."""

import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mutagen
import pytest
from mutagen import id3
from mutagen.apev2 import APEv2
from mutagen.flac import FLAC
from mutagen.mp4 import MP4FreeForm

from audioae.catalog.sources import CatalogConfig
from audioae.catalog.tags import Tags, read_tags
from audioae.config import parse_config
from audioae.errors import ConfigError
from tests.catalog.made import scan_rows, write

FIVE = {"title": "Tïtle", "artist": "Ärtist", "album": "Album", "genre": "Jazz", "date": "1999-02"}
READ = ("Tïtle", ["Ärtist"], "Album", ["Jazz"], 1999)
FRAMES = {"title": "TIT2", "artist": "TPE1", "album_artist": "TPE2", "album": "TALB", "genre": "TCON", "date": "TDRC"}
INFO = {"title": b"INAM", "artist": b"IART", "album": b"IPRD", "genre": b"IGNR", "date": b"ICRD"}


def read(path: Path, encoding: str | None = None) -> Tags:
    with open(path, "rb") as file:
        return read_tags(file, encoding)


def riff_chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def with_info(path: Path, texts: dict[bytes, bytes], *, behind: bool = True) -> Path:
    """A wav with a LIST INFO chunk behind or before its audio."""
    content = write(path).read_bytes()[12:]
    info = riff_chunk(b"LIST", b"INFO" + b"".join(riff_chunk(name, text) for name, text in texts.items()))
    body = b"WAVE" + (content + info if behind else info + content)
    path.write_bytes(riff_chunk(b"RIFF", body))
    return path


def with_aiff_texts(path: Path, **texts: bytes) -> Path:
    content = write(path).read_bytes()[12:]
    for name, text in texts.items():
        content += name.encode() + struct.pack(">I", len(text)) + text + b"\0" * (len(text) % 2)
    path.write_bytes(b"FORM" + struct.pack(">I", len(content) + 4) + b"AIFF" + content)
    return path


def with_id3(path: Path, *, encoding: Any = id3.Encoding.UTF8, v1: Any = 0, **texts: Any) -> Path:
    """An ID3 tag before (or with v1=2 also behind) a file of any format."""
    tags = id3.ID3()
    for field, text in texts.items():
        tags.add(getattr(id3, FRAMES[field])(encoding=encoding, text=text))
    tags.save(path, v1=v1)
    return path


@pytest.mark.parametrize("behind", [True, False])
def test_info_of_a_wav(tmp_path: Path, behind: bool):
    texts = {INFO[field]: text.encode() + b"\0" for field, text in FIVE.items()}
    assert read(with_info(tmp_path / "a.wav", texts, behind=behind)) == (*READ, 1.0, None, None)


def test_info_of_a_wav_with_64_bit_sizes(tmp_path: Path):
    path = with_info(tmp_path / "a.wav", {b"INAM": b"Title"})
    content = path.read_bytes()
    size = content.index(b"data") + 4
    data_size = struct.unpack("<I", content[size : size + 4])[0]
    ds64 = riff_chunk(b"ds64", struct.pack("<QQQI", len(content) + 36, data_size, 24_000, 0))
    rest = content[12:size] + b"\xff" * 4 + content[size + 4 :]
    path.write_bytes(b"RF64" + b"\xff" * 4 + b"WAVE" + ds64 + rest)
    assert read(path).title == "Title"


def test_texts_of_an_aiff(tmp_path: Path):
    path = with_aiff_texts(tmp_path / "a.aiff", NAME="Tïtle".encode(), AUTH=b"Artist\0")
    assert read(path)[:2] == ("Tïtle", ["Artist"])


def test_ape_tags_of_an_mp3(tmp_path: Path):
    path = write(tmp_path / "a.mp3")
    tags = APEv2()
    tags.update({field: FIVE[field] for field in ("title", "artist", "album", "genre")} | {"Year": FIVE["date"]})
    tags.save(path)
    assert read(path)[:5] == READ


@pytest.mark.parametrize("suffix", [".flac", ".wav", ".aiff", ".ogg", ".mp3"])
def test_an_id3_tag_before_a_file_of_any_format(tmp_path: Path, suffix: str):
    assert read(with_id3(write(tmp_path / f"a{suffix}"), **FIVE))[:5] == READ


@pytest.mark.parametrize("suffix", [".flac", ".wav", ".mp3"])
def test_an_old_id3_tag_behind_a_file(tmp_path: Path, suffix: str):
    path = write(tmp_path / f"a{suffix}")
    fields = [text.encode("latin-1").ljust(30, b"\0") for text in ("Tïtle", "Ärtist", "Album")]
    path.write_bytes(path.read_bytes() + b"TAG" + b"".join(fields) + b"1999" + bytes(30) + b"\x08")
    assert read(path)[:5] == READ


def test_a_formats_own_tags_win_field_by_field(tmp_path: Path):
    path = write(tmp_path / "a.mp3")
    tags = APEv2()
    tags.update({"Title": "of APE", "Artist": "of APE"})
    tags.save(path)
    assert read(with_id3(path, title="of ID3"))[:2] == ("of ID3", ["of APE"])


@pytest.mark.parametrize(
    ("suffix", "name"),
    [(".flac", "albumartist"), (".ogg", "albumartist"), (".m4a", "aART"), (".mp3", "TPE2"), (".wv", "Album Artist")],
)
def test_an_albums_artist_stands_in(tmp_path: Path, suffix: str, name: str):
    if suffix == ".wv":
        path = tmp_path / "a.mp3"  # APEv2 is read the same in every format
        write(path)
        file: Any = APEv2()
    else:
        path = write(tmp_path / f"a{suffix}")
        file = mutagen.File(path)  # type: ignore[attr-defined] - mutagen does not export what it documents
        if file.tags is None:
            file.add_tags()
    file[name] = id3.TPE2(encoding=3, text="Band") if name == "TPE2" else ["Band"]
    file.save(path)
    assert read(path).artists == ["Band"]


def test_an_albums_artist_does_not_replace_one(tmp_path: Path):
    path = with_id3(write(tmp_path / "a.mp3"), artist="Singer", album_artist="Band")
    assert read(path).artists == ["Singer"]
    path = with_id3(write(tmp_path / "b.mp3"), artist="Unknown Artist", album_artist="Band")
    assert read(path).artists == ["Band"]
    path = with_id3(write(tmp_path / "c.mp3"), album_artist="Various Artists")
    assert read(path).artists is None


def test_several_artists_and_genres_are_kept(tmp_path: Path):
    file = FLAC(write(tmp_path / "a.flac"))
    file.update({"artist": ["A", "B", "A"], "genre": ["Jazz", "unknown", "Funk"]})
    file.save()
    with_id3(write(tmp_path / "b.mp3"), artist=["C", "D"], genre=["(8)(17)", "Own"])
    one, two = scan_rows(tmp_path)
    assert (one["artist"], one["artists"], one["label"], one["genres"]) == ("A", ["A", "B"], "Jazz", ["Jazz", "Funk"])
    assert (two["artist"], two["artists"]) == ("C", ["C", "D"])
    assert (two["label"], two["genres"]) == ("Jazz", ["Jazz", "Rock", "Own"])


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("cp1251", "Алла Пугачёва"), ("gbk", "邓丽君"), ("shift_jis", "美空ひばり"), ("big5", "張學友")],
)
def test_texts_in_another_encoding(tmp_path: Path, encoding: str, text: str):
    """Bytes in the code page of a user, which ID3 calls Latin-1 and RIFF does not declare."""
    mojibake = text.encode(encoding).decode("latin-1")
    path = with_id3(write(tmp_path / "a.mp3"), encoding=id3.Encoding.LATIN1, title=mojibake)
    assert read(path).title == mojibake
    assert read(path, encoding).title == text
    assert read(with_info(tmp_path / "b.wav", {b"IART": text.encode(encoding)}), encoding).artists == [text]
    assert read(with_aiff_texts(tmp_path / "c.aiff", NAME=text.encode(encoding)), encoding).title == text
    rows = scan_rows(tmp_path, tag_encoding=encoding)
    assert [(row["title"], row["artist"]) for row in rows] == [(text, None), ("b", text), (text, None)]


def test_declared_unicode_is_not_decoded_again(tmp_path: Path):
    for encoding in (id3.Encoding.UTF8, id3.Encoding.UTF16):
        assert read(with_id3(write(tmp_path / "a.mp3"), encoding=encoding, title="Größe"), "cp1251").title == "Größe"


def test_bytes_that_do_not_fit_the_encoding_stay_latin_1(tmp_path: Path):
    path = with_id3(write(tmp_path / "a.mp3"), encoding=id3.Encoding.LATIN1, title="Größ\xff")
    assert read(path, "gbk").title == "Größ\xff"
    assert read(with_info(tmp_path / "b.wav", {b"INAM": b"Gr\xf6\xdfe"})).title == "Größe"


def test_an_encoding_that_does_not_exist_is_an_error():
    for name in ("cp9999", "hex"):
        with pytest.raises(ConfigError, match=r"tag_encoding: got '.*no such encoding; wanted one that Python knows"):
            parse_config(CatalogConfig, {"source": "music", "tag_encoding": name}, "mine.yaml")


@pytest.mark.parametrize(
    "make",
    [
        lambda path: with_info(path.with_suffix(".wav"), {INFO[name]: text.encode() for name, text in FIVE.items()}),
        lambda path: with_aiff_texts(path.with_suffix(".aiff"), NAME=b"Title", AUTH=b"Artist"),
        lambda path: with_id3(write(path.with_suffix(".mp3")), **FIVE),
    ],
)
def test_mutated_files_never_raise(tmp_path: Path, make: Callable[[Path], Path]):
    path, chance = make(tmp_path / "a"), random.Random(0)
    content = path.read_bytes()
    ends = [*range(64), *range(len(content) - 200, len(content))]
    for _ in range(150):
        mutant = bytearray(content)
        for position in chance.sample(ends, 4):
            mutant[position] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
        path.write_bytes(mutant[: chance.choice((len(mutant), chance.randrange(len(mutant))))])
        tags = read(path)
        assert tags.title is None or len(tags.title) < 1000


IDS = ("USRC17607839", "5fee3020-513b-48c2-b1f7-4681b01db0c6")
OTHER = "ffffffff-513b-48c2-b1f7-4681b01db0c6"  # of the track on a release, not of the recording


@pytest.mark.parametrize(
    ("suffix", "tags"),
    [
        (".flac", {"ISRC": "us-rc1-76-07839", "MUSICBRAINZ_TRACKID": IDS[1], "MUSICBRAINZ_RELEASETRACKID": OTHER}),
        (".ogg", {"isrc": ["nonsense", IDS[0]], "musicbrainz_trackid": IDS[1].upper()}),
        (".opus", {"ISRC": f"{IDS[0]};GBAYE0601498", "MUSICBRAINZ_TRACKID": IDS[1]}),
        (
            ".m4a",
            {
                "----:com.apple.iTunes:ISRC": [MP4FreeForm(IDS[0].encode())],
                "----:com.apple.iTunes:MusicBrainz Track Id": [MP4FreeForm(IDS[1].encode())],
                "----:com.apple.iTunes:MusicBrainz Release Track Id": [MP4FreeForm(OTHER.encode())],
            },
        ),
        (".ape", {"ISRC": [IDS[0], "GBAYE0601498"], "MUSICBRAINZ_TRACKID": IDS[1]}),
    ],
)
def test_ids_of_the_recording(tmp_path: Path, suffix: str, tags: dict):
    path = write(tmp_path / f"a{suffix.replace('.ape', '.mp3')}")
    file: Any = APEv2() if suffix == ".ape" else mutagen.File(path)  # type: ignore[attr-defined]
    file.update(tags)
    file.save(path)
    assert read(path)[-2:] == IDS


@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".aiff", ".flac"])
@pytest.mark.parametrize(
    "frame",
    [
        id3.UFID(owner="http://musicbrainz.org", data=IDS[1].encode()),
        id3.TXXX(encoding=3, desc="MusicBrainz Track Id", text=IDS[1]),
    ],
)
def test_ids_of_the_recording_in_id3(tmp_path: Path, suffix: str, frame: Any):
    path = write(tmp_path / f"a{suffix}")
    file: Any = id3.ID3() if suffix == ".flac" else mutagen.File(path)  # type: ignore[attr-defined]
    if suffix != ".flac":
        file.add_tags()
    tags = getattr(file, "tags", file)
    other = id3.TXXX(encoding=3, desc="MusicBrainz Release Track Id", text=OTHER)
    for one in (id3.TSRC(encoding=3, text=IDS[0]), id3.UFID(owner="http://other.org", data=b"7"), other, frame):
        tags.add(one)
    file.save(path)
    assert read(path)[-2:] == IDS
    (row,) = scan_rows(tmp_path)
    assert (row["isrc"], row["musicbrainz_id"]) == IDS
