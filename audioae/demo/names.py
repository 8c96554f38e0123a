"""Names of people, bands, albums and tracks, from built-in word lists."""

from collections.abc import Callable, Sequence

import numpy as np


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ADJECTIVES = _words(
    "Amber Broken Silver Quiet Crooked Distant Electric Faded Golden Hollow Idle Late Little Lonely Lucky Marble "
    "Midnight Narrow Northern Open Pale Paper Patient Plain Restless Salt Second Slow Southern Sudden Tender Velvet "
    "Winter Yellow Borrowed Glass Copper Wandering"
)
NOUNS = _words(
    "Harbor Lantern River Orchard Signal Window Engine Garden Mirror Station Letter Ferry Shadow Kitchen Meadow "
    "Ladder Compass Satellite Weather Market Bridge Feather Cathedral Avenue Thunder Pocket Island Parade Staircase "
    "Horizon Tunnel Canyon Ocean Village Telephone Balcony Circus Railway Comet Attic"
)
CREATURES = _words(
    "Antlers Foxes Herons Moths Otters Ravens Sparrows Wolves Lynxes Beetles Cranes Badgers Magpies Finches Hounds Owls"
)
FIRST = _words(
    "Ada Bruno Carla Dario Elena Felix Greta Hugo Ines Jonas Kaia Leon Mara Nils Olga Pavel Quinn Rosa Stefan Tilda "
    "Umberto Vera Wanda Xavier Yara Zeno"
)
LAST = _words(
    "Albrecht Bonetti Calloway Dorsett Eklund Farrow Gallardo Hartwell Ivarsson Jelinek Kovac Lindqvist Moreau "
    "Nakano Okafor Pereira Quintana Rautio Santoro Tamm Ueland Vasquez Whitlow Yilmaz Zielinski"
)
ALIASES = _words(
    "Kalyx Monoform Tessel Nullpoint Parallax Vantablue Oktav Subluna Hexafour Driftwerk Polaroid9 Zerocade "
    "Lumenoid Ferrum Gridlock7 Ansible Pixelwright Undertow Modulus Echolalia"
)
SOLO = ("Jazz", "Folk", "Bossa Nova", "Solo Piano", "Orchestral")
PRODUCER = ("House", "Drum and Bass", "Ambient", "Chiptune", "Lo-Fi")


def artist_name(label: str, taken: set[str], rng: np.random.Generator) -> str:
    """Draw a name that fits the style and is not in `taken`, and add it to `taken`."""

    def draw() -> str:
        if label in SOLO:
            name = f"{_pick(FIRST, rng)} {_pick(LAST, rng)}"
            return name + str(rng.choice((" Trio", " Quartet", ""))) if label == "Jazz" else name
        if label in PRODUCER and rng.random() < 0.6:
            return _pick(ALIASES, rng)
        return f"The {_pick(ADJECTIVES, rng)} {_pick(CREATURES, rng)}"

    return _new(draw, taken)


def title(taken: set[str], rng: np.random.Generator) -> str:
    """Draw a title for a track or an album that is not in `taken`, and add it to `taken`."""

    def draw() -> str:
        adjective, noun, other = _pick(ADJECTIVES, rng), _pick(NOUNS, rng), _pick(NOUNS, rng)
        forms = (
            f"{adjective} {noun}",
            f"The {noun}",
            f"{noun} and {other}",
            f"{adjective} {noun} at {int(rng.integers(2, 12))}",
            f"Under the {noun}",
            f"{noun} in {_pick(('Spring', 'June', 'October', 'the Rain', 'Blue', 'Reverse'), rng)}",
            f"{_article(noun)} {noun} for {_pick(FIRST, rng)}",
        )
        return forms[int(rng.choice(len(forms), p=(0.4, 0.1, 0.1, 0.08, 0.12, 0.1, 0.1)))]

    return _new(draw, taken)


def _new(draw: Callable[[], str], taken: set[str]) -> str:
    name = draw()
    for attempt in range(2, 1000):
        if name not in taken:
            break
        name = draw() if attempt < 100 else f"{draw()} {attempt}"
    taken.add(name)
    return name


def _article(noun: str) -> str:
    return "An" if noun[0] in "AEIO" else "A"


def _pick(words: Sequence[str], rng: np.random.Generator) -> str:
    return str(words[int(rng.integers(len(words)))])
