"""Sections to look at and to listen to: map, nearest tracks, confusion, hubs, codebook, reconstructions.

Convention: a row is a track's position in the catalog that is shown; the script looks up name, picture and sound by it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from audioae.constants import N_FRAMES, N_MELS
from audioae.display import shown
from audioae.library.track_metadata import TrackMetadata
from audioae.metrics.hubness import occurrence
from audioae.pages.charts import code_usage, heat_table, histogram
from audioae.pages.formats import count, number, percent
from audioae.pages.layout import MIN_TSNE, pca_layout, tsne_layout
from audioae.pages.map_charts import MAX_LABELS, label_codes, mark_style, scatter
from audioae.pages.markup import Section, left_out, render
from audioae.pages.neighbors import NeighborLists
from audioae.pages.pictures import mel_picture

MAX_CONFUSION = 40
MAX_HUBS = 10


def track_map(vectors: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> Section:
    """The `rows` laid out by t-SNE and by PCA, with the legend and the panel of the selected track."""
    names, codes = label_codes(labels)
    shown, codes = vectors[rows], codes[rows]
    pca, share = pca_layout(shown)
    tsne = tsne_layout(shown)
    maps = [] if tsne is None else [("t-SNE", scatter(tsne, rows, codes, "t-SNE"))]
    maps.append((f"PCA, {percent(share)} of the variance", scatter(pca, rows, codes, "PCA")))
    legend = [(*mark_style(code), name) for code, name in enumerate(names)]
    if (codes < 0).any():
        other = f"other than the {MAX_LABELS} most frequent" if names else "no label"
        legend.append((*mark_style(-1), other))
    body = render(
        "map",
        maps=maps,
        legend=legend,
        has_tsne=tsne is not None,
        min_tsne=MIN_TSNE,
        n_shown=len(rows),
        n=len(vectors),
    )
    return Section("map", "Map", body)


def gallery(neighbors: Sequence[NeighborLists], titles: Sequence[str], metadata: TrackMetadata) -> Section:
    """Queries, each with its nearest tracks."""
    anchor, title = "neighbors", "Nearest tracks"
    if not neighbors:
        return left_out(anchor, title, "no queries were chosen")

    def track(row: int) -> dict[str, Any]:
        name = titles[row] or metadata.ids[row]
        texts = {"title": name, "artist": metadata.artists[row], "label": metadata.labels[row]}
        return {"row": row, **{field: shown(text) for field, text in texts.items()}}

    lists = [
        (track(query.query), [(track(row), score) for row, score in zip(query.rows, query.scores, strict=True)])
        for query in neighbors
    ]
    labels = [(query["label"], other["label"]) for query, tracks in lists for other, _ in tracks]
    matches = [query == other for query, other in labels if query and other]
    return Section(anchor, title, render("gallery", lists=lists, n_matches=sum(matches), n_labeled=len(matches)))


def confusion(document: Mapping[str, Any]) -> Section:
    """The confusion matrix of true and predicted labels."""
    anchor, title, matrix = "confusion", "Confusion matrix", document.get("confusion")
    if not matrix or not np.any(matrix["counts"]):
        return left_out(anchor, title, "no label could be predicted")
    counts, labels = np.asarray(matrix["counts"]), list(matrix["labels"])
    most = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[:MAX_CONFUSION])
    body = render(
        "confusion",
        table=heat_table(counts[np.ix_(most, most)], [labels[i] for i in most]),
        how=matrix.get("how", ""),
        n_correct=int(np.trace(counts)),
        n=int(counts.sum()),
        n_shown=len(most),
        n_labels=len(labels),
    )
    return Section(anchor, title, body)


def hubs(document: Mapping[str, Any], vectors: np.ndarray, metadata: TrackMetadata) -> Section:
    """How often tracks appear in the lists of others, and the tracks that appear most often."""
    anchor, title, k = "hubs", "Hubs", int(document.get("k") or 10)
    if len(vectors) <= k + 1:
        return left_out(anchor, title, f"{len(vectors)} tracks are too few for lists of {k}")
    counts = occurrence(vectors, k)
    row_of = {track_id: row for row, track_id in enumerate(metadata.ids.tolist())}
    listed = [
        {
            "key": row_of.get(hub["track_id"]),
            "title": shown(hub.get("title") or hub["track_id"]),
            "artist": shown(hub.get("artist") or ""),
            "label": shown(hub.get("label") or ""),
            "count": hub["k_occurrence"],
        }
        for hub in (document.get("hubs") or [])[:MAX_HUBS]
    ]
    body = render(
        "hubs",
        histogram=histogram(counts),
        k=k,
        n=len(counts),
        n_never=int((counts == 0).sum()),
        most=int(counts.max()),
        hubs=listed,
    )
    return Section(anchor, title, body)


def codebook(document: Mapping[str, Any]) -> Section:
    """How uniformly the codes are used."""
    anchor, title, book = "codebook", "Codebook", document.get("codebook")
    if not book or not len(book.get("usage") or []):
        return left_out(anchor, title, "the model has no codebook, or the use of its codes was not counted")
    usage, size = np.asarray(book["usage"], float), int(book["size"])
    figures = {
        "perplexity": f"{number(float(np.mean(book['perplexity'])), 1)} of {size}",
        "dead codes": f"{count(int(np.sum(book['dead'])))} of {count(size * len(usage))}",
        "groups": str(len(usage)),
    }
    return Section(anchor, title, render("codebook", figures=figures, chart=code_usage(usage)))


def reconstructions(document: Mapping[str, Any], pairs: tuple[np.ndarray, np.ndarray] | None) -> Section:
    """Clips above their reconstructions, and the error over all tracks."""
    figures = {
        name: {"value": entry["value"], "low": entry.get("low"), "high": entry.get("high")}
        for name, entry in (document.get("reconstruction") or {}).items()
    }
    why = "no clip could be read" if figures else "the embeddings have no decoder, or nothing was reconstructed"
    drawn = [] if pairs is None else [[mel_picture(mel) for mel in pair] for pair in zip(*pairs, strict=True)]
    body = render("reconstructions", figures=figures, pairs=drawn, width=N_FRAMES, height=N_MELS, why=why)
    return Section("reconstructions", "Reconstructions", body)
