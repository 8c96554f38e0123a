"""The page's sections to look at and listen to: map, neighbors, confusion, hubs, codebook, reconstructions.

Convention: a row is a track's number in the catalog that was evaluated; the script looks up what it shows by it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from audioae.constants import N_FRAMES, N_MELS
from audioae.library.track_metadata import TrackMetadata
from audioae.metrics.hubness import occurrence
from audioae.pages.layout import MIN_UMAP, pca_layout, umap_layout
from audioae.pages.markup import Section, clip_button, escape, figure, interval, left_out, mel_picture, number, numbers
from audioae.pages.neighbors import NeighborLists
from audioae.pages.plots import MAX_LABELS, heat_table, histogram, label_codes, mark, scatter, use_picture

MAX_CONFUSION = 40
CODEBOOK_CAPTION = (
    "A line is a group of the codebook, its codes sorted from the most to the least used; color is a code's use, "
    "relative to even use. A good codebook glows far to the right; black is never used. Perplexity is the number "
    "of codes that would give the same spread if all were used alike."
)


def track_map(vectors: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> Section:
    """UMAP and PCA of the rows shown, the legend, and the panel of the track that was chosen."""
    names, codes = label_codes(labels)
    shown, codes = vectors[rows], codes[rows]
    pca, share = pca_layout(shown)
    umap = umap_layout(shown)
    maps = [] if umap is None else [("UMAP", scatter(umap, rows, codes, "UMAP"))]
    maps.append((f"PCA, {100 * share:.0f} % of the variance", scatter(pca, rows, codes, "PCA")))
    drawn = "".join(f'<div class="plane"><h3>{name}</h3>{svg}</div>' for name, svg in maps)
    legend = "".join(_legend_button(i, name) for i, name in enumerate(names))
    if (codes < 0).any():
        legend += _legend_button(-1, f"other than the {MAX_LABELS} most frequent" if names else "no label")
    body = (
        f'<div class="legend" role="group" aria-label="labels shown">{legend}'
        '<button type="button" class="all">all</button><button type="button" class="nothing">none</button></div>'
        f'<div class="maps">{drawn}<div class="chosen" aria-live="polite">'
        '<label>Go to a track <select></select></label><div class="panel"></div></div></div>'
    )
    caption = (
        "Each mark is a track; color and shape are its label. Point at a mark for its name, click it to hear it and to "
        "see its five nearest tracks, joined by lines in both maps; names in the legend hide and show labels. "
        "With the keyboard: arrow keys on a map, Enter to play. "
    )
    if umap is None:
        caption += f"UMAP is left out: it needs {MIN_UMAP} tracks, {len(rows)} are there. "
    else:
        caption += (
            "UMAP keeps neighborhoods: clumps mean something, the distances between clumps and their sizes do not. "
        )
    caption += (
        "PCA keeps distances as far as two axes can: what lies far apart is far apart, but what overlaps need not be "
        "close."
    )
    if len(rows) < len(vectors):
        caption += f" Shown are {len(rows):,} of {len(vectors):,} tracks, evenly spread; the nearest are among those."
    return Section("map", "Map", figure(body, caption))


def gallery(neighbors: Sequence[NeighborLists], titles: Sequence[str], metadata: TrackMetadata) -> Section:
    """Queries, each with its nearest tracks to look at and to hear."""
    title = "Nearest tracks"
    if not neighbors:
        return Section("neighbors", title, left_out("no queries were chosen"))
    lists = "".join(_list_of(found, titles, metadata) for found in neighbors)
    pairs = [(metadata.labels[found.query], metadata.labels[row]) for found in neighbors for row in found.rows]
    judged = [own == other for own, other in pairs if own and other]
    caption = (
        "A row is a query (framed) and the tracks nearest to it, closest first, with their cosine; a click on a mel "
        "plays the clip (3 s; time runs to the right, high bands are at the top). The queries are drawn by lot over "
        "the labels, not chosen for looking good. "
    )
    if judged:
        caption += f"✓ marks the {sum(judged)} of {len(judged)} neighbors that have the query's label, ≠ the others."
    return Section("neighbors", title, figure(f'<div class="gallery">{lists}</div>', caption))


def confusion(document: Mapping[str, Any]) -> Section:
    """True against predicted label."""
    title, found = "Which labels are mixed up", document.get("confusion")
    if not found or not found.get("labels"):
        return Section("confusion", title, left_out("no label could be predicted"))
    counts, labels = np.asarray(found["counts"]), list(found["labels"])
    most = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[:MAX_CONFUSION])
    caption = (
        f"Rows are the labels that the catalog claims, columns those predicted ({escape(found.get('how', ''))}); a "
        "number is a count of tracks, color its share of the row, and the diagonal (framed) is right. A strong color "
        "off the diagonal is a pair of labels that sound alike to the model, or a label that is wrong. "
        f"{np.trace(counts):,} of {counts.sum():,} are right."
    )
    if len(most) < len(labels):
        caption += f" Shown are the {len(most)} most frequent of {len(labels)} labels."
    table = heat_table(counts[np.ix_(most, most)], [labels[i] for i in most])
    return Section("confusion", title, figure(table, caption))


def hubs(document: Mapping[str, Any], vectors: np.ndarray, metadata: TrackMetadata) -> Section:
    """How often tracks stand in the lists of others, and which do most often."""
    title, k = "Hubs", int(document.get("k") or 10)
    if len(vectors) <= k + 1:
        return Section("hubs", title, left_out(f"{len(vectors)} tracks are too few for lists of {k}"))
    counts = occurrence(vectors, k)
    caption = (
        f"Every track has a list of its {k} nearest; a bar counts the tracks that stand in so many lists (the axis). "
        f"On average it is {k}; {(counts == 0).sum():,} of {len(counts):,} tracks stand in none and are never found, "
        f"and one stands in {counts.max():,}. A long tail to the right means hubs: tracks that turn up everywhere."
    )
    plot = figure(
        f'<h3>How often tracks are found</h3>{histogram(counts)}<p class="axis">lists that a track stands in</p>',
        caption,
    )
    row_of = {track_id: row for row, track_id in enumerate(metadata.ids.tolist())}
    items = "".join(
        f"<li>{clip_button(row_of[hub['track_id']], 'small') if hub['track_id'] in row_of else ''}"
        f"<span><b>{escape(hub.get('title') or hub['track_id'])}</b> {escape(hub.get('artist'))} "
        f"<small>{escape(hub.get('label'))}</small></span><b class='count'>{hub['k_occurrence']:,}</b></li>"
        for hub in (document.get("hubs") or [])[:10]
    )
    listed = f'<div class="hubs"><h3>The biggest hubs, and their lists</h3><ol>{items}</ol></div>' if items else ""
    return Section("hubs", title, f'<div class="two">{plot}{listed}</div>')


def codebook(document: Mapping[str, Any]) -> Section:
    """How evenly codes are used."""
    title, found = "Codebook", document.get("codebook")
    if not found or not len(found.get("usage") or []):
        return Section("codebook", title, left_out("the model has none, or its use was not counted"))
    usage, size = np.asarray(found["usage"], float), int(found["size"])
    perplexity, dead = np.mean(found["perplexity"]), int(np.sum(found["dead"]))
    drawn = figure(use_picture(usage), CODEBOOK_CAPTION)
    figures = {
        "perplexity": f"{number(float(perplexity), 1)} of {size}",
        "dead codes": f"{dead:,} of {size * len(usage):,}",
        "groups": f"{len(usage)}",
    }
    return Section("codebook", title, numbers(figures) + drawn)


def reconstructions(document: Mapping[str, Any], pairs: tuple[np.ndarray, np.ndarray] | None) -> Section:
    """Mels above what the decoder makes of their codes, and how far off it is."""
    title, metrics = "Reconstructions", document.get("reconstruction") or {}
    shown = numbers(
        {
            name: f"{number(entry['value'])} {interval(entry.get('low'), entry.get('high'))}"
            for name, entry in metrics.items()
        }
    )
    if pairs is None or len(pairs[0]) == 0:
        why = "there are no pictures to show" if shown else "there is no decoder, or it was not asked"
        return Section("reconstructions", title, shown + left_out(why))
    drawn = "".join(
        f'<div class="pair">{_still(original, "original")}{_still(made, "reconstruction")}</div>'
        for original, made in zip(*pairs, strict=True)
    )
    caption = (
        "Clips above, what the decoder makes of their latents below; time runs to the right over 3 s, high bands are "
        "at the top, and color goes from 80 dB below the clip's maximum (black) to it (light). Look for what is "
        "missing: a smooth picture has lost the onsets, an even one the bands."
    )
    return Section("reconstructions", title, shown + figure(f'<div class="pairs">{drawn}</div>', caption))


def _legend_button(code: int, name: str) -> str:
    style = f"l{code}" if code >= 0 else "other"
    picture = f'<svg viewBox="-1.5 -1.5 3 3" aria-hidden="true">{mark(code)}</svg>'
    return f'<button type="button" aria-pressed="true" data-label="{style}">{picture}{escape(name)}</button>'


def _list_of(found: NeighborLists, titles: Sequence[str], metadata: TrackMetadata) -> str:
    own = metadata.labels[found.query]
    items = [_item(found.query, titles, metadata, f"<small>{escape(own)}</small>", "query")]
    for row, score in zip(found.rows, found.scores, strict=True):
        label = metadata.labels[row]
        kind, sign = ("match", "✓") if label == own else ("differs", "≠")
        judged = f'<small class="{kind}">{sign} {escape(label)}</small>' if own and label else ""
        items.append(_item(row, titles, metadata, f"{judged}<small>{number(score)}</small>", "neighbor"))
    return f'<div class="list">{"".join(items)}</div>'


def _item(row: int, titles: Sequence[str], metadata: TrackMetadata, note: str, kind: str) -> str:
    name = escape(titles[row] or metadata.ids[row])
    artist = f"<span>{escape(metadata.artists[row])}</span>" if metadata.artists[row] else ""
    return f'<div class="track {kind}">{clip_button(row)}<b title="{name}">{name}</b>{artist}{note}</div>'


def _still(mel_db: np.ndarray, name: str) -> str:
    return f'<img width="{N_FRAMES}" height="{N_MELS}" alt="{name}" src="data:image/webp;base64,{mel_picture(mel_db)}">'
