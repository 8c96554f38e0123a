"""Write an index of inverted lists to a file, in FAISS's own format, from entries that come block by block.

Conventions
-----------
- Entries come in the order of the rows. Within a list, rows ascend, as after FAISS's `add`.
- The file is byte for byte what FAISS would write (`tests/search/test_index_file.py`): FAISS writes the trained index
  without entries, and what is missing, the lists and what `Refine` keeps, is put into its place.
- Codes are sorted by list in a file beside the index that is deleted afterwards. Memory holds one block of entries, and
  8 bytes a row if rows must be found in the lists (an index that has only codes).

Why not FAISS's `merge_ondisk`: it keeps the lists in a second file whose path is written into the first, it does not
merge what `Refine` keeps, and it knows no fast-scan lists.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from audioae.errors import SearchError
from audioae.search.entries import Entries, keeps_embeddings, parts_of
from audioae.search.lazy_faiss import load_faiss

Blocks = Callable[[], Iterable[Entries]]


def write_index_file(path: Path, trained: Any, sizes: np.ndarray, blocks: Blocks) -> None:
    """Write an index.

    Parameters
    ----------
    path : Path
        A new file.
    trained : faiss.Index
        A trained index with inverted lists, without entries. It is left unusable.
    sizes : np.ndarray, shape (n_lists,), int64
        The number of entries of each list.
    blocks : callable
        Gives all entries in the order of their rows; called once, or twice if the index has a `Refine`.
    """
    faiss = load_faiss()
    ivf = faiss.downcast_index(faiss.extract_index_ivf(trained))
    n, (base, refine) = int(sizes.sum()), parts_of(trained)
    scratch = path.with_suffix(".scratch")
    try:
        codes = np.memmap(scratch, np.uint8, "w+", shape=(max(n, 1), ivf.code_size))
        rows, places = np.empty(n, np.int64), _fill(codes, sizes, blocks())
        rows[places] = np.arange(n)
        if refine is None:
            starts = np.repeat(_starts(sizes), sizes)
            list_of = np.repeat(np.arange(len(sizes)), sizes)
            ivf.direct_map.type = faiss.DirectMap.Array
            faiss.copy_array_to_vector((list_of[places] << 32) | (places - starts[places]), ivf.direct_map.array)
        for part in {id(one): one for one in (trained, base, ivf, refine) if one is not None}.values():
            part.ntotal = n
        with path.open("wb") as stream:
            whole, lists = _serialized(faiss.write_index, trained), _serialized(faiss.write_InvertedLists, ivf.invlists)
            before, after = _split(whole, lists, path)
            stream.write(before)
            _write_lists(stream, ivf, sizes, codes, rows)
            if refine is None:
                stream.write(after)
            else:
                _write_refined(stream, trained, after, n, blocks())
    except OSError as error:
        raise SearchError(f"{path}: the index cannot be written ({error}); free space and run again") from None
    finally:
        scratch.unlink(missing_ok=True)


def _fill(codes: np.ndarray, sizes: np.ndarray, blocks: Iterable[Entries]) -> np.ndarray:
    """Put the codes of all rows into the order of the lists; returns the place of each row, shape (n,), int64."""
    free, places = _starts(sizes), []
    for block in blocks:
        order = np.argsort(block.lists, kind="stable")
        here = np.bincount(block.lists, minlength=len(sizes))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order)) + np.repeat(free - _starts(here), here)
        codes[place] = block.codes
        places.append(place)
        free += here
    return np.concatenate([np.empty(0, np.int64), *places])


def _write_lists(stream: BinaryIO, ivf: Any, sizes: np.ndarray, codes: np.ndarray, rows: np.ndarray) -> None:
    """Write inverted lists as FAISS does: `ilar`, or `ilbl` for the packed blocks of fast-scan codes."""
    faiss = load_faiss()
    head = _serialized(faiss.write_InvertedLists, ivf.invlists)
    starts = _starts(sizes)
    if isinstance(faiss.downcast_InvertedLists(ivf.invlists), faiss.BlockInvertedLists):
        stream.write(head[: 4 + 4 * 8])
        packer = ivf.get_CodePacker()
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
            packed = _packed(packer, codes[start : start + size])
            _write_vector(stream, rows[start : start + size])
            _write_vector(stream, packed)
        return
    stream.write(head[: 4 + 2 * 8])
    present = np.flatnonzero(sizes)
    full = len(present) > len(sizes) // 2
    stream.write(b"full" if full else b"sprs")
    _write_vector(stream, sizes if full else np.stack([present, sizes[present]], axis=1).ravel())
    for start, size in zip(starts[present].tolist(), sizes[present].tolist(), strict=True):
        stream.write(codes[start : start + size].tobytes())
        stream.write(rows[start : start + size].tobytes())


def _packed(packer: Any, codes: np.ndarray) -> np.ndarray:
    """The codes of one list in blocks of 32 rows, as fast scans read them."""
    faiss = load_faiss()
    n_blocks = -(-len(codes) // packer.nvec)
    flat = np.zeros((n_blocks * packer.nvec, packer.code_size), np.uint8)
    flat[: len(codes)] = codes
    packed = np.zeros((n_blocks, packer.block_size), np.uint8)
    for number in range(n_blocks):
        packer.pack_all(faiss.swig_ptr(flat[number * packer.nvec :]), faiss.swig_ptr(packed[number]))
    return packed.ravel()


def _write_refined(stream: BinaryIO, trained: Any, after: bytes, n: int, blocks: Iterable[Entries]) -> None:
    """Write the index that `Refine` compares with; its serialization without rows ends with their number, 0."""
    faiss = load_faiss()
    refine = parts_of(trained)[1]
    empty = _serialized(faiss.write_index, refine)
    before, rest = after[: after.index(empty) + len(empty) - 8], after[after.index(empty) + len(empty) :]
    numbers = n * (refine.d if keeps_embeddings(trained) else refine.sa_code_size())
    stream.write(before + np.uint64(numbers).tobytes())
    for block in blocks:
        stream.write(np.ascontiguousarray(block.refined).data)
    stream.write(rest)


def _write_vector(stream: BinaryIO, values: np.ndarray) -> None:
    stream.write(np.uint64(len(values)).tobytes())
    stream.write(values.tobytes())


def _split(whole: bytes, piece: bytes, path: Path) -> tuple[bytes, bytes]:
    """What stands before and after `piece` in `whole`."""
    if whole.count(piece) != 1:
        raise SearchError(f"{path}: this version of FAISS writes inverted lists in another way; report it, please")
    at = whole.index(piece)
    return whole[:at], whole[at + len(piece) :]


def _serialized(write: Callable[[Any, Any], None], value: Any) -> bytes:
    faiss = load_faiss()
    writer = faiss.VectorIOWriter()
    write(value, writer)
    return faiss.vector_to_array(writer.data).tobytes()


def _starts(sizes: np.ndarray) -> np.ndarray:
    """Where each list begins if they follow one another."""
    return np.cumsum(sizes) - sizes
