"""What distinguishes each region, and a name for it: the labels, artists and decades that are more frequent there.

Conventions
-----------
- A value distinguishes a region if it is at least `LEAST_LIFT` times as frequent there as in the catalog, and that is
  no chance: were its tracks spread over the catalog without regard to sound, so many would be here with a probability
  of at most `CHANCE`, divided by the number of regions times values (Bonferroni). A region without such a value has no
  name but its number.
- The strongest trait is the one that says most about the region: its share there, times the logarithm of its lift. A
  lift alone would name a region after an artist of two tracks.
- A text is what the catalog says. A name is one line of at most `LONGEST` printable characters; it is still only text.

Why not log-odds with a prior (Monroe, Colaresi and Quinn 2008): with counts as small as those of artists their standard
errors are wrong, and of 3,000 pairs of made labels and regions that have nothing to do with each other, 25 passed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

LEAST_LIFT = 1.5
CHANCE = 0.05
TRAITS = 8  # kept for each region
IN_A_NAME = 3
LONGEST = 60


def traits_of(region: np.ndarray, columns: Mapping[str, pa.ChunkedArray | pa.Array]) -> dict[int, list[dict[str, Any]]]:
    """What distinguishes each region.

    Parameters
    ----------
    region : np.ndarray, shape (n,), int64
    columns : mapping of str to array of strings, length n
        Nulls are unknown.

    Returns
    -------
    traits : dict
        Region -> dicts of column, value, n, share and lift, the strongest first.
    """
    found: dict[int, list[tuple[float, dict[str, Any]]]] = {int(number): [] for number in np.unique(region)}
    for name, texts in columns.items():
        for number, strength, trait in _traits_in(region, name, texts):
            found[number].append((strength, trait))
    strongest = {number: sorted(traits, key=lambda one: -one[0])[:TRAITS] for number, traits in found.items()}
    return {number: [trait for _, trait in traits] for number, traits in strongest.items()}


def name_regions(order: Iterable[int], traits: Mapping[int, Sequence[Mapping[str, Any]]]) -> dict[int, str]:
    """A unique name for each region; those that come first get the shorter ones.

    >>> trait = {"column": "label", "value": "House"}
    >>> name_regions([3, 1, 2], {1: [trait], 2: [], 3: [trait, {"column": "decade", "value": "1990s"}]})
    {3: 'House', 1: 'House 1', 2: 'Region 2'}
    """
    names: dict[int, str] = {}
    for number in order:
        values = [one_line(trait["value"]) for trait in traits[number][:IN_A_NAME]]
        longer = [" · ".join(values[:n]) for n in range(1, len(values) + 1)]
        candidates = [*longer, f"{values[0] if values else 'Region'} {number}"]
        taken = set(names.values())
        free = [name for name in map(one_line, candidates) if name not in taken]
        names[number] = next((name for name in free if name), f"Region {number} ({len(names)})")
    return names


def one_line(text: str) -> str:
    r"""A text in one line, without characters that cannot be printed, cut at `LONGEST`.

    >>> one_line("a\n<b>\u202e" + 99 * "c") == "a <b> " + 53 * "c" + "…"
    True
    """
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    line = " ".join(printable.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def decades(years: pa.ChunkedArray) -> pa.ChunkedArray:
    """Such as 1990s for 1994; null where the year is unknown.

    >>> decades(pa.chunked_array([[1994, None]], pa.int32())).to_pylist()
    ['1990s', None]
    """
    return pc.binary_join_element_wise(pc.cast(pc.multiply(pc.divide(years, 10), 10), pa.string()), "s", "")


def _traits_in(
    region: np.ndarray, name: str, texts: pa.ChunkedArray | pa.Array
) -> Iterable[tuple[int, float, dict[str, Any]]]:
    from scipy.special import bdtrc

    encoded = pa.chunked_array(texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts], pa.string())
    encoded = encoded.combine_chunks().dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    code = pc.fill_null(encoded.indices, -1).to_numpy().astype(np.int64)
    known, n_codes = code >= 0, max(len(encoded.dictionary), 1)
    pairs, counts = np.unique(region[known] * n_codes + code[known], return_counts=True)
    regions, values = pairs // n_codes, pairs % n_codes
    of_value = np.bincount(code[known], minlength=n_codes)[values]
    numbers, sizes = np.unique(region[known], return_counts=True)
    size, total = sizes[np.searchsorted(numbers, regions)], int(known.sum())
    share = counts / size
    lift = share * total / of_value
    strength = share * np.log2(lift)
    chance = bdtrc(counts - 1, of_value, size / total)  # at least so many of its tracks
    for i in np.flatnonzero((lift >= LEAST_LIFT) & (chance * len(numbers) * n_codes <= CHANCE)):
        text = encoded.dictionary[int(values[i])].as_py()
        trait = {"column": name, "value": text, "n": int(counts[i])}
        yield int(regions[i]), float(strength[i]), {**trait, "share": float(share[i]), "lift": float(lift[i])}
