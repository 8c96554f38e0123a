"""Which track another system's path means, where that system has the music elsewhere.

Conventions
-----------
- Two paths agree in their last n components: `/music/Artist/Album/1.flac` and `/nas/Artist/Album/1.flac` in three. Each
  path means the one track with which it agrees most; at least two components must agree, or the whole path.
- What is left of a path is where the music is mounted. A path whose rest lies below the rest of more other paths is
  mounted like those, so the track that it agrees with is another one, and it has none.
- With a prefix to strip, what is left must agree as a whole; with a prefix in its place, whole paths are compared.
- Separators of Windows count as `/`, and Unicode is compared in NFC.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

NONE, SEVERAL, NO_VALUE = -1, -2, -3
DEEPEST = 16  # components that are told apart; the ones before them count as one
ENOUGH = 2


def find_unique(wanted: pa.Array, keys: pa.Array, groups: np.ndarray) -> np.ndarray:
    """The row of `keys` with each wanted value, shape (n_wanted,), int64.

    Parameters
    ----------
    wanted, keys : pa.Array
        Of one type; null is no value.
    groups : np.ndarray, shape (n_keys,), int64
        A row that stands for several; it is found if these have the same key.

    Returns
    -------
    np.ndarray
        `NONE` where no key is equal, `SEVERAL` where keys of several groups are, `NO_VALUE` where `wanted` is null.

    >>> find_unique(pa.array(["a", "b", "c", None]), pa.array(["b", "b", "a"]), np.array([0, 1, 2])).tolist()
    [2, -2, -1, -3]
    """
    encoded = keys.dictionary_encode()
    code = pc.fill_null(encoded.indices, -1).to_numpy()
    rows = np.flatnonzero(code >= 0)[::-1]
    row_of = np.full(len(encoded.dictionary), NONE)
    row_of[code[rows]] = rows  # of several, the last that is written stays: the first
    originals = rows[groups[rows] == rows]
    row_of[code[originals]] = originals
    row_of[code[rows[groups[rows] != groups[row_of[code[rows]]]]]] = SEVERAL
    place = pc.fill_null(pc.index_in(wanted, value_set=encoded.dictionary, skip_nulls=True), -1).to_numpy()
    found = np.append(row_of, NONE)[place]
    return np.where(pc.is_valid(wanted).to_numpy(zero_copy_only=False), found, NO_VALUE)


def match_paths(
    wanted: pa.Array, uris: pa.Array, groups: np.ndarray, strip_prefix: str | None, path_prefix: str | None
) -> np.ndarray:
    """The row of `uris` that each path means; see `find_unique`.

    Parameters
    ----------
    wanted, uris : pa.Array of string
    groups : np.ndarray, shape (n_uris,), int64
    strip_prefix, path_prefix : str or None
        See `MatchOptions`.
    """
    whole = strip_prefix is not None or path_prefix is not None
    theirs = _Components(_moved(_normal(wanted), strip_prefix, path_prefix))
    found, depth = _deepest(theirs, _Components(pc.utf8_normalize(uris, form="NFC")), groups)
    is_whole = depth == theirs.n
    found[(found >= 0) & ~is_whole & (whole | (depth < ENOUGH))] = NONE
    if not whole:
        found[_mounted_elsewhere(theirs, found, depth)] = NONE
    return np.where(pc.is_valid(wanted).to_numpy(zero_copy_only=False), found, NO_VALUE)


class _Components:
    """The components of paths: the last one of path i is `codes[ends[i] - 1]` in `names`."""

    def __init__(self, paths: pa.Array):
        self.split = pc.split_pattern(pc.fill_null(paths, ""), "/", max_splits=DEEPEST - 1, reverse=True)
        self.n = pc.list_value_length(self.split).to_numpy()
        self.ends = np.cumsum(self.n)
        self.names = pc.list_flatten(self.split).dictionary_encode()

    def last(self, depth: int, codes: np.ndarray) -> np.ndarray:
        """The code of each path's component at `depth` from its end, -1 where it has fewer."""
        has = self.n >= depth
        return np.where(has, codes[np.where(has, self.ends - depth, 0)], -1)


def _deepest(theirs: _Components, ours: _Components, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The row of ours with which each of theirs agrees most, and in how many components."""
    our_codes = ours.names.indices.to_numpy()
    known = pc.fill_null(pc.index_in(theirs.names.dictionary, value_set=ours.names.dictionary), -1).to_numpy()
    their_codes = known[theirs.names.indices.to_numpy()]
    n_names = len(ours.names.dictionary)
    found, depth = np.full(len(theirs.n), NONE), np.zeros(len(theirs.n), np.int64)
    our_suffix, their_suffix = np.zeros(len(ours.n), np.int64), np.zeros(len(theirs.n), np.int64)
    for level in range(1, DEEPEST + 1):
        our_last, their_last = ours.last(level, our_codes), theirs.last(level, their_codes)
        our_suffix, their_suffix = (
            np.where((suffix >= 0) & (last >= 0), suffix * n_names + last, -1)
            for suffix, last in ((our_suffix, our_last), (their_suffix, their_last))
        )
        keys = pa.array(our_suffix, mask=our_suffix < 0)
        result = find_unique(pa.array(their_suffix, mask=their_suffix < 0), keys, groups)
        better = (result >= 0) | (result == SEVERAL)
        if not better.any():
            break
        found[better], depth[better] = result[better], level
        encoded = keys.dictionary_encode()
        place = pc.index_in(pa.array(their_suffix, mask=~better), value_set=encoded.dictionary, skip_nulls=True)
        our_suffix = pc.fill_null(encoded.indices, -1).to_numpy().astype(np.int64)
        their_suffix = pc.fill_null(place, -1).to_numpy().astype(np.int64)
    return found, depth


def _mounted_elsewhere(theirs: _Components, found: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Which rows have a rest that lies below one of as many rows or more."""
    rows = np.flatnonzero(found >= 0)
    n_rest = theirs.n[rows] - depth[rows]
    alike = [(n, rows[n_rest == n]) for n in np.unique(n_rest).tolist()]
    if not alike:
        return rows
    rests = pa.concat_arrays([_first(theirs.split.take(pa.array(same)), n) for n, same in alike]).dictionary_encode()
    which = rests.indices.to_numpy()
    counts = dict(zip(rests.dictionary.to_pylist(), np.bincount(which).tolist(), strict=True))
    is_below = [any(counts.get(above, 0) >= n for above in _above(rest)) for rest, n in counts.items()]
    return np.concatenate([same for _, same in alike])[np.array(is_below)[which]]


def _first(split: pa.Array, n: int) -> pa.Array:
    """The first n components of each path, as a path."""
    return pc.binary_join(pc.list_slice(split, 0, n), "/") if n else pa.array([""] * len(split), pa.string())


def _above(path: str) -> Iterator[str]:
    """The folders above a folder.

    >>> list(_above("/music/rock"))
    ['/music', '']
    """
    while path:
        path = path.rpartition("/")[0]
        yield path


def _normal(paths: pa.Array) -> pa.Array:
    windows = pc.replace_substring(paths, "\\", "/")
    return pc.utf8_normalize(pc.if_else(pc.match_substring(paths, "/"), paths, windows), form="NFC")


def _moved(paths: pa.Array, strip_prefix: str | None, path_prefix: str | None) -> pa.Array:
    if strip_prefix is not None:
        prefix = strip_prefix.replace("\\", "/").rstrip("/") + "/"
        paths = pc.if_else(pc.starts_with(paths, prefix), pc.utf8_slice_codeunits(paths, len(prefix)), paths)
    if path_prefix is not None:
        paths = pc.binary_join_element_wise(path_prefix.rstrip("/"), pc.utf8_ltrim(paths, "/"), "/")
    return paths
