"""What an embedding becomes in an index of inverted lists: its list, its code, and its code for refining.

Conventions
-----------
- `trained` is a FAISS index that was trained and holds nothing. The same embeddings give the same entries as FAISS's
  `add`, so lists that were filled on many machines make the index that one machine would make.
- Codes are rows of bytes, as `sa_encode` gives them; those of fast-scan lists are packed only in the file.
"""

from typing import Any, NamedTuple

import numpy as np

from audioae.search.lazy_faiss import load_faiss


class Entries(NamedTuple):
    """Entries of consecutive rows.

    Attributes
    ----------
    lists : np.ndarray, shape (n,), int32
        The inverted list of each row.
    codes : np.ndarray, shape (n, code_size), uint8
    refined : np.ndarray, shape (n, refined_size), uint8
        What `Refine` keeps: bytes of codes, or of float32 embeddings. No columns without a `Refine`.
    """

    lists: np.ndarray
    codes: np.ndarray
    refined: np.ndarray


def encode_entries(trained: Any, embeddings: np.ndarray) -> Entries:
    """Entries of embeddings, shape (n, dim), float32; `refined` is left empty where it is the embedding itself."""
    base, refine = parts_of(trained)
    coded = base.sa_encode(embeddings)
    width = load_faiss().extract_index_ivf(base).coarse_code_size()
    lists = np.zeros(len(embeddings), np.int32)
    for byte in range(width):
        lists |= coded[:, byte].astype(np.int32) << (8 * byte)
    refined = np.empty((len(embeddings), 0), np.uint8)
    if refine is not None and not keeps_embeddings(trained):
        refined = refine.sa_encode(embeddings)
    return Entries(lists, np.ascontiguousarray(coded[:, width:]), refined)


def coarse_distances(trained: Any, embeddings: np.ndarray) -> np.ndarray:
    """Squared distance of each embedding to the center of its list, shape (n,), float32."""
    faiss = load_faiss()
    base, _ = parts_of(trained)
    if isinstance(base, faiss.IndexPreTransform):
        for number in range(base.chain.size()):
            embeddings = faiss.downcast_VectorTransform(base.chain.at(number)).apply(embeddings)
    return faiss.extract_index_ivf(base).quantizer.search(np.ascontiguousarray(embeddings), 1)[0][:, 0]


def parts_of(index: Any) -> tuple[Any, Any]:
    """The index that is searched first, and the one that compares its candidates again (None: there is none)."""
    faiss = load_faiss()
    index = faiss.downcast_index(index)
    if not isinstance(index, faiss.IndexRefine):
        return index, None
    return faiss.downcast_index(index.base_index), faiss.downcast_index(index.refine_index)


def keeps_embeddings(index: Any) -> bool:
    """Whether `Refine` keeps the embeddings themselves."""
    return isinstance(parts_of(index)[1], load_faiss().IndexFlat)
