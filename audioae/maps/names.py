"""What distinguishes each region, and a name for it: the labels, artists and decades that are more frequent there.

Conventions
-----------
- A value distinguishes a region if its log-odds there and elsewhere differ by at least `Z` standard errors, with the
  whole catalog as the prior: a value that is rare everywhere proves nothing.
- The strongest trait is the one that says most about the region: its share there, times the logarithm of its lift. A
  lift alone would name a region after an artist of two tracks.
- A text is what the catalog says. A name is one line of at most `LONGEST` printable characters; it is still only text.

Source: Monroe, Colaresi and Quinn 2008, "Fightin' Words": log-odds with an informative Dirichlet prior.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

Z = 2.0
PRIOR = 10.0  # tracks that the prior counts as, for each region
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
    z = _log_odds(counts, size, of_value, total)
    share = counts / size
    lift = share * total / of_value
    strength = share * np.log2(lift)
    for i in np.flatnonzero((z >= Z) & (lift > 1)):
        text = encoded.dictionary[int(values[i])].as_py()
        trait = {"column": name, "value": text, "n": int(counts[i])}
        yield int(regions[i]), float(strength[i]), {**trait, "share": float(share[i]), "lift": float(lift[i])}


def _log_odds(count: np.ndarray, size: np.ndarray, of_value: np.ndarray, total: int) -> np.ndarray:
    """How many standard errors the log-odds of a value are higher in its region than elsewhere."""
    prior = PRIOR * of_value / max(total, 1)
    here, there = count + prior, of_value - count + prior
    not_here, not_there = size - count + PRIOR - prior, (total - size) - (of_value - count) + PRIOR - prior
    with np.errstate(divide="ignore", invalid="ignore"):  # a value that every track has distinguishes nothing
        z = (np.log(here / not_here) - np.log(there / not_there)) / np.sqrt(1 / here + 1 / there)
    return np.nan_to_num(z, nan=0.0, posinf=0.0, neginf=0.0)
