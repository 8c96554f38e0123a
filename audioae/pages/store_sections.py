"""The report's sections on a store as a whole: what it holds, what became of its tracks, how its model was trained,
who is heard of in lists of neighbors, and what the index showed before it was published.

Convention: each takes plain data as the store has it, and says in one sentence if there is none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from audioae.library.track_metadata import TrackMetadata
from audioae.metrics.hubness import occurrence
from audioae.pages import map_sections
from audioae.pages.charts import curves, stacked_bar
from audioae.pages.markup import Section, brief, card, escape, figure, left_out, number, table
from audioae.pages.plots import strip

NO_CURVE = ("step", "split", "learning_rate", "clips_per_s")
SHOWN_ARTISTS = 10

Entry = Mapping[str, Any]


def headline(
    store: str, date: str, versions: Mapping[str, str], sums: Entry, gate: Entry | None, checks: Sequence[Entry]
) -> str:
    """Which store, which versions of what, and the key figures large."""
    total = max(sums["n_tracks"], 1)
    rejected = sum(sums["rejected"].values())
    rest = [f"{sums['duplicates']:,} exact duplicates", f"{rejected:,} rejected", f"{sums['pending']:,} pending"]
    share = f"<small>{100 * sums['embedded'] / total:.1f} % of {total:,}; {', '.join(rest)}</small>"
    cards = [card("tracks with an embedding", f"{sums['embedded']:,}", share)]
    for check in (check for check in checks if check["n_tracks"]):
        note = f"<small>of {check['n_tracks']:,} tracks looked at</small>"
        cards.append(card(escape(check["check"]), f"{check['n_issues']:,}", note))
    if gate:
        note = f"<small>{escape(gate['factory'])}, {brief(gate['p99_ms'])} ms at p99</small>"
        cards.append(card(f"recall@{gate['k']} of the index", number(gate["recall"]), note))
    named = " · ".join([f"written {escape(date)}", *map(escape, versions.values())])
    return (
        f"<header><p class='kicker'>audioae report</p><h1>{escape(store)}</h1><p class='facts'>{named}</p>"
        f"<div class='cards many'>{''.join(cards)}</div></header>"
    )


def accounting(sums: Entry, rejected: Sequence[Entry]) -> Section:
    """Where every track is; and of the rejected ones, some with what is wrong with them."""
    states = [("embedded", sums["embedded"], "embedded"), ("exact duplicates", sums["duplicates"], "duplicate")]
    states += [(f"rejected: {reason.replace('_', ' ')}", n, "rejected") for reason, n in sums["rejected"].items()]
    states += [("pending", sums["pending"], "pending")]
    total = max(sums["n_tracks"], 1)
    rows = [
        (f'<i class="key {kind}"></i>{escape(name)}', f"{n:,}", f"{100 * n / total:.1f} %")
        for name, n, kind in states
        if n or kind != "rejected"
    ]
    rows.append(("the catalog", f"{sums['n_tracks']:,}", ""))
    caption = (
        "Every track of the catalog is in exactly one state, and the sums come out. A rejected track has no embedding "
        "and is in no answer; a duplicate is found through the track whose bytes it shares."
    )
    if sums.get("padded"):
        caption += f" {sums['padded']:,} of the embedded tracks are shorter than a clip, hence repeated to fill it."
    body = figure(stacked_bar(states) + table(("state", "tracks", "share"), rows, "sums"), caption)
    if rejected:
        cells = [
            (
                f"{escape(row['name'])}<small>{escape(row['uri'])}</small>",
                escape(row["reason"].replace("_", " ")),
                escape(row["detail"]),
            )
            for row in rejected
        ]
        n = sum(sums["rejected"].values())
        heading = "Rejected tracks" if len(rejected) == n else f"{len(rejected)} of {n:,} rejected tracks"
        body += f"<h3 class='wide-title'>{heading}</h3>{table(('track', 'reason', 'what was found'), cells, 'wide')}"
    return Section("catalog", "Accounting", body)


def training(metrics: Sequence[Entry], why: str) -> Section:
    """A small chart per number that was logged, the loss first."""
    title = "Training"
    names = [name for name in dict.fromkeys(key for row in metrics for key in row) if name not in NO_CURVE]
    names.sort(key=lambda name: name != "loss")
    charts = []
    for name in names:
        points = [
            (row["split"], (row["step"], row[name]))
            for row in metrics
            if row.get(name) is not None and np.isfinite(row[name])
        ]
        series = {
            split: [point for own, point in points if own == split] for split in dict.fromkeys(p[0] for p in points)
        }
        if series:
            charts.append(curves(name.replace("_", " "), series))
    if not charts:
        return Section("training", title, left_out(why or "the model was logged without a number"))
    caption = (
        "Each chart has its own scale: the numbers beside it are its largest and smallest value. The line is the "
        "training clips, dots are tracks held out from training, whose clips are neither augmented nor corrupted. Loss "
        "is the weighted sum of its terms; perplexity is how many codes are in use as if all were used alike, and dead "
        "codes are never used."
    )
    return Section("training", title, figure(f'<div class="curves">{"".join(charts)}</div>', caption))


def exposure(vectors: np.ndarray, metadata: TrackMetadata, hubs: Entry) -> Section:
    """k-occurrence, the biggest hubs, and which artists stand in more lists than they have tracks."""
    section = map_sections.hubs(hubs, vectors, metadata)
    k = int(hubs["k"])
    artists = metadata.artists.astype(str)
    if len(vectors) <= k + 1 or not (artists != "").any():
        return Section("exposure", "Exposure", section.body)
    counts = occurrence(vectors, k)
    names, of = np.unique(artists, return_inverse=True)
    tracks, places = np.bincount(of), np.bincount(of, counts)
    order = [i for i in np.argsort(-places, kind="stable") if names[i]][:SHOWN_ARTISTS]
    each = (places / tracks).tolist()
    most = max((each[i] for i in order), default=1.0)
    rows = [
        (
            escape(names[i]),
            f"{tracks[i]:,}",
            f"{100 * places[i] / places.sum():.1f} %",
            number(each[i] / k, 2) + strip(each[i], None, None, (0.0, most), "bar"),
        )
        for i in order
    ]
    columns = ("artist", "tracks", "share of all places", "places per track, 1 is even")
    caption = (
        f"The artists who take most places in the lists of {k} nearest. Beside it: places for each of their tracks, "
        "relative to even exposure; far above 1 means an artist who turns up everywhere."
    )
    listed = figure(f"<h3 class='wide-title'>Artists</h3>{table(columns, rows, 'wide')}", caption)
    return Section("exposure", "Exposure", section.body + listed)


def gate(found: Entry | None, limits: Entry, why: str) -> Section:
    """What the index had to show, and what it showed."""
    title = "Index"
    if not found:
        return Section("index", title, left_out(why))
    rows = []
    for name, value, limit, is_met in (
        (f"recall@{found['k']}, {found.get('n_queries', 0):,} held-out queries", found["recall"], "min_recall", True),
        ("finds itself first", found["self_retrieval"], "min_recall", True),
        ("p50, ms", found["p50_ms"], None, None),
        ("p99, ms", found["p99_ms"], "max_p99_ms", False),
        ("bytes per vector", found["bytes_per_vector"], None, None),
        ("tracks", found["n"], None, None),
    ):
        wanted = limits.get(limit) if limit else None
        verdict = ""
        if wanted is not None:
            met = value >= wanted if is_met else value <= wanted
            verdict = (
                '<span class="verdict better">✓ met</span>' if met else '<span class="verdict worse">✗ missed</span>'
            )
        sign = "" if wanted is None else f"{'≥' if is_met else '≤'} {brief(wanted)}"
        rows.append((escape(name), brief(value), sign, verdict))
    caption = (
        f"<b>{escape(found['factory'])}</b>: {escape(found.get('reason', ''))}. Measured on "
        f"{escape(found.get('machine', 'an unnamed machine'))}, one query at a time; an index that misses a limit is "
        "not published, and the one before stays."
    )
    return Section("index", title, figure(table(("", "measured", "limit", ""), rows), caption))
