"""What tags and manifests claim: texts without what says nothing, and one spelling per label.

Conventions
-----------
- Text is valid Unicode without NUL characters and without whitespace at its ends; None if nothing is left.
- "Unknown Artist", "Various Artists" or "VA" is no artist, "Track 01" no title, "unknown" or "n/a" nothing at all.
- Labels that differ in case, whitespace or Unicode form are one label, shown as it was spelled first.
"""

import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

_NOTHING = frozenset({"", "-", "--", "?", "n/a", "na", "nan", "none", "null", "undefined", "unknown", "not available"})
_NO_LABEL = _NOTHING | {"unknown genre", "genre"}
_NO_ALBUM = _NOTHING | {"unknown album"}
_NO_TITLE = _NOTHING | {"unknown title", "unknown track", "no title"}
_NO_ARTIST = _NOTHING | {
    *("unknown artist", "unknown artists", "no artist", "various", "various artists", "various artist"),
    *("va", "v.a.", "v.a", "v/a", "v. a.", "aa.vv.", "varios artistas", "vários artistas", "artisti vari"),
    *("artistes divers", "artistes variés", "verschiedene interpreten", "diverse interpreten", "verschiedene künstler"),
    *("artiste inconnu", "artista desconocido", "artista desconhecido", "artista sconosciuto", "onbekende artiest"),
    *("unbekannter künstler", "unbekannter interpret", "неизвестный исполнитель", "неизвестен", "未知艺术家"),
    *("不明なアーティスト", "알 수 없는 음악가"),
}
_NUMBERED = re.compile(r"(audio ?)?(track|piste|pista|titel|faixa|traccia|дорожка|трек|トラック|音轨)[ _#.-]*\d{1,3}")
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
_UUID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])")
_BRACKETS = "<>[](){} "


def clean_text(value: Any) -> str | None:
    """Strip whitespace and NUL characters, and make the text valid Unicode; None if nothing is left.

    >>> clean_text("  A Waltz\\x00"), clean_text(" ")
    ('A Waltz', None)
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return str(value).replace("\x00", "").strip().encode("utf-8", "replace").decode() or None


def clean_label(value: Any) -> str | None:
    """A genre or another label; None for texts that mean "no label".

    >>> clean_label("Jazz "), clean_label("<unknown>"), clean_label("N/A")
    ('Jazz', None, None)
    """
    return _unless(value, _NO_LABEL)


def clean_artist(value: Any) -> str | None:
    """An artist; None for texts that mean "nobody" or "several".

    >>> clean_artist("Björk"), clean_artist("Unknown Artist"), clean_artist("VA")
    ('Björk', None, None)
    """
    return _unless(value, _NO_ARTIST)


def clean_album(value: Any) -> str | None:
    """An album; None for texts that mean "no album"."""
    return _unless(value, _NO_ALBUM)


def clean_title(value: Any) -> str | None:
    """A title; None for a mere number of a track.

    >>> clean_title("99 Problems"), clean_title("Track 01"), clean_title("AudioTrack 7")
    ('99 Problems', None, None)
    """
    title = _unless(value, _NO_TITLE)
    return None if title is None or _NUMBERED.fullmatch(title.casefold()) else title


def parse_year(value: Any) -> int | None:
    """Find the year in a date of any format.

    >>> parse_year("2009-01-05"), parse_year("1987.0"), parse_year("0")
    (2009, 1987, None)
    """
    year = re.search(r"[12]\d{3}", clean_text(value) or "")
    return int(year[0]) if year else None


def parse_isrc(value: Any) -> str | None:
    """Find an International Standard Recording Code in a text, whatever its case and hyphens.

    Source: ISO 3901: two letters, three letters or digits, seven digits.

    >>> parse_isrc("us-rc1-76-07839"), parse_isrc("ISRC QZES71982312; GBAYE0601498"), parse_isrc("0")
    ('USRC17607839', 'QZES71982312', None)
    """
    for text in re.split(r"[;,/|\x00]", str(value or "")):
        code = re.sub(r"[\s\-‐‑–]", "", text).upper().removeprefix("ISRC").removeprefix(":")
        if _ISRC.fullmatch(code):
            return code
    return None


def parse_musicbrainz_id(value: Any) -> str | None:
    """Find a MusicBrainz ID in a text or an address; in lower case.

    >>> parse_musicbrainz_id("https://musicbrainz.org/recording/5FEE3020-513b-48c2-b1f7-4681b01db0c6")
    '5fee3020-513b-48c2-b1f7-4681b01db0c6'
    """
    found = _UUID.search(str(value or "").lower())
    return found[0] if found else None


def split_labels(values: Iterable[Any], separators: str = "") -> list[str]:
    """Clean labels, each once; each text is split at the characters `separators`.

    >>> split_labels(["Rock/Pop", "n/a"]), split_labels(["Rock/Pop", "Pop "], "/;")
    (['Rock/Pop'], ['Rock', 'Pop'])
    """
    whole = [text for value in values if (text := clean_label(value))]
    if separators:
        whole = [part for text in whole for part in re.split(f"[{re.escape(separators)}]", text)]
    return list(dict.fromkeys(label for text in whole if (label := clean_label(text))))


def spellings(used: Iterable[str], earlier: Iterable[str] = ()) -> dict[str, str]:
    """What is to be shown for the spellings of labels that are not shown themselves.

    All spellings of a label are shown as the one that came first: in `earlier`, if still used, or else in `used`.

    Why `earlier`: a new file whose name comes first must not rename the label of all the others.

    >>> spellings(["rock", "Pop", "ROCK ", "Rock"], earlier=["Rock", "POP"])
    {'rock': 'Rock', 'ROCK ': 'Rock'}
    """
    used = dict.fromkeys(used)
    first: dict[str, str] = {}
    for label in (*filter(used.__contains__, earlier), *used):
        first.setdefault(_key(label), label)
    return {label: shown for label in used if (shown := first[_key(label)]) != label}


def _key(label: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", label).casefold().split())


def _unless(value: Any, nothing: frozenset[str]) -> str | None:
    text = clean_text(value)
    if text is None or text.casefold() in nothing or text.casefold().strip(_BRACKETS) in nothing:
        return None
    return text
