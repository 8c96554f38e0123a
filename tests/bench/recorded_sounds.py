"""Two catalogs of recordings that Debian ships, to see whether what holds for made sounds holds for real ones.

    apt-get install -y --no-install-recommends klettres-data tuxpaint-stamps-default hydrogen-drumkits

- Voices: letters and syllables of the program KLettres, and names of things of Tux Paint, 20 of each language. The
  label is the program and the language, which stands for one person with one microphone. A second or two each.
- Drums: hits of the drum kits of Hydrogen, at most 8 of each kind and kit. The label is the kind, as the file's name
  says it, and the artist is the kit: "other artists" asks for the same drum in another kit.

Only manifests are written; they name the installed files. No default was chosen on these catalogs, except
`single_weight` (`audioae/model/heads.py`).
"""

import csv
import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

SHARE = Path("/usr/share")
LETTERS, THINGS, KITS = SHARE / "klettres", SHARE / "tuxpaint" / "stamps", SHARE / "hydrogen" / "data" / "drumkits"
A_VOICE, A_DRUM = 20, 8  # files of one speaker; of one kind of drum in one kit
KINDS = {  # the first that is found in a name counts
    "open hat": r"ohh|ho_|hhop|(hh|hat).{0,3}op|open.?h|hat.*op\b",
    "pedal hat": r"pedal|hh_p|hat.*pd",
    "closed hat": r"hh|hat",
    "kick": r"kick|bd|bass.?drum|hse_k",
    "snare": r"snare|\bsd|_sn_|\bsn|rim|\brs_",
    "tom": r"tom|\bft_",
    "crash": r"crash|\bcc_|cra_|splash|china",
    "ride": r"ride|\brc_",
    "clap": r"clap",
    "cowbell": r"cow|_cb|\bcb",
    "hand drum": r"conga|bongo|djembe|cajon|dununba|kenkeni",
}


def make_voices(folder: Path) -> int:
    """Write the manifest `voices.csv` into `folder`; return how many files it names."""
    spoken: dict[str, list[Path]] = {}
    for path in sorted(LETTERS.rglob("*.ogg")):
        spoken.setdefault(f"letters {path.relative_to(LETTERS).parts[0]}", []).append(path)
    for path in sorted(THINGS.rglob("*_desc_*.ogg")):
        spoken.setdefault(f"things {path.stem.rpartition('_desc_')[2]}", []).append(path)
    rng = random.Random(0)
    chosen = {voice: rng.sample(paths, A_VOICE) for voice, paths in sorted(spoken.items()) if len(paths) >= A_VOICE}
    rows = ((str(path), voice) for voice in chosen for path in chosen[voice])
    return _write(folder / "voices.csv", ("path", "label"), rows)


def make_drums(folder: Path) -> int:
    """Write the manifest `drums.csv` into `folder`; return how many files it names."""
    hits: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(KITS.rglob("*")):
        kind = kind_of(path.stem) if path.suffix in {".wav", ".flac", ".aiff"} else None
        if kind:
            hits.setdefault((kind, path.parent.name), []).append(path)
    rng = random.Random(0)
    chosen = {key: rng.sample(paths, min(A_DRUM, len(paths))) for key, paths in sorted(hits.items())}
    rows = ((str(path), *key) for key in chosen for path in chosen[key])
    return _write(folder / "drums.csv", ("path", "label", "artist"), rows)


def kind_of(name: str) -> str | None:
    """The kind of drum that a file's name says, or None.

    >>> kind_of("hhclosed_01"), kind_of("EE_Hat_Op_Dirty"), kind_of("bassdrum-soft2"), kind_of("README")
    ('closed hat', 'open hat', 'kick', None)
    """
    found = (kind for kind, pattern in KINDS.items() if re.search(pattern, name.lower()))
    return None if "empty" in name.lower() else next(found, None)


def _write(path: Path, columns: Sequence[str], rows: Iterable[tuple[str, ...]]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [columns, *rows]
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(written)
    return len(written) - 1
