"""The report's sections on a store as a whole: accounting, training, exposure, and the gate of the index.

Convention: each takes plain data as the store has it; a section without data says why it has none.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from audioae.library.track_metadata import TrackMetadata
from audioae.metrics.hubness import occurrence
from audioae.pages import map_sections
from audioae.pages.charts import curves, stacked_bar, strip
from audioae.pages.formats import brief, count, number, percent, words
from audioae.pages.markup import Section, left_out, render

if TYPE_CHECKING:
    from markupsafe import Markup

NOT_CHARTED = ("step", "split", "learning_rate", "clips_per_s")
CHART_NAMES = {"mse": "mean squared error", "info_nce": "InfoNCE", "vicreg": "VICReg", "grad_norm": "gradient norm"}
SHOWN_ARTISTS = 10

Entry = Mapping[str, Any]


def headline(
    store: str, date: str, versions: Mapping[str, str], sums: Entry, gate: Entry | None, checks: Sequence[Entry]
) -> "Markup":
    """The store, its versions, and the key figures."""
    return render(
        "report_header",
        store=store,
        facts=[f"written {date}", *versions.values()],
        n_tracks=sums["n_tracks"],
        embedded=sums["embedded"],
        share=percent(sums["embedded"] / max(sums["n_tracks"], 1), 1),
        others=[
            f"{count(n)} {name}"
            for name, n in (
                ("exact duplicates", sums["duplicates"]),
                ("rejected", sum(sums["rejected"].values())),
                ("pending", sums["pending"]),
            )
        ],
        checks=[check for check in checks if check["n_tracks"]],
        gate=gate,
    )


def accounting(sums: Entry, rejected: Sequence[Entry]) -> Section:
    """The state of every track, and some rejected tracks with the reasons."""
    states = [("embedded", sums["embedded"], "embedded"), ("exact duplicates", sums["duplicates"], "duplicate")]
    states += [(f"rejected: {words(reason)}", n, "rejected") for reason, n in sums["rejected"].items()]
    pending = sums.get("pending_states", {"pending": sums["pending"]})
    states += [(words(state), n, "pending") for state, n in pending.items() if n or state == "pending"]
    total = max(sums["n_tracks"], 1)
    body = render(
        "accounting",
        bar=stacked_bar(states),
        states=[(name, n, percent(n / total, 1), kind) for name, n, kind in states if n or kind != "rejected"],
        n_tracks=sums["n_tracks"],
        n_padded=sums.get("padded") or 0,
        rejected=rejected,
        n_rejected=sum(sums["rejected"].values()),
    )
    return Section("catalog", "Accounting", body)


def training(metrics: Sequence[Entry], why: str) -> Section:
    """A small chart for each logged number, the loss first."""
    anchor, title = "training", "Training"
    names = [name for name in dict.fromkeys(key for row in metrics for key in row) if name not in NOT_CHARTED]
    names.sort(key=lambda name: name != "loss")
    shown = [(CHART_NAMES.get(name, words(name)), series) for name in names if (series := _series(metrics, name))]
    charts = [curves(name, series) for name, series in shown]
    if not charts:
        return left_out(anchor, title, why or "the log of the training has no numbers")
    return Section(anchor, title, render("training", charts=charts))


def exposure(vectors: np.ndarray, metadata: TrackMetadata, hubs: Entry) -> Section:
    """k-occurrence, the biggest hubs, and the artists that appear in more lists than their share of the tracks."""
    section = map_sections.hubs(hubs, vectors, metadata)
    k = int(hubs["k"])
    artists = metadata.artists.astype(str)
    if len(vectors) <= k + 1 or not (artists != "").any():
        return Section("exposure", "Exposure", section.body)
    counts = occurrence(vectors, k)
    names, artist = np.unique(artists, return_inverse=True)
    tracks, places = np.bincount(artist), np.bincount(artist, counts)
    order = [i for i in np.argsort(-places, kind="stable") if names[i]][:SHOWN_ARTISTS]
    per_track = (places / tracks / k).tolist()
    axis = (0.0, max((per_track[i] for i in order), default=1.0))
    rows = [
        {
            "artist": names[i],
            "tracks": int(tracks[i]),
            "share": percent(places[i] / places.sum(), 1),
            "per_track": number(per_track[i], 2),
            "bar": strip(per_track[i], None, None, axis, "bar"),
        }
        for i in order
    ]
    return Section("exposure", "Exposure", render("exposure", hubs=section.body, rows=rows, k=k))


def gate(gate: Entry | None, limits: Entry, why: str) -> Section:
    """What the index measured before it was published, and the limits it had to meet."""
    anchor, title = "index", "Index"
    if not gate:
        return left_out(anchor, title, why)
    rows = []
    for name, value, limit, at_least in (
        (f"recall@{gate['k']} of {gate.get('n_queries', 0):,} held-out queries", gate["recall"], "min_recall", True),
        ("self-retrieval", gate["self_retrieval"], "min_recall", True),
        ("p50 latency, ms", gate["p50_ms"], None, None),
        ("p99 latency, ms", gate["p99_ms"], "max_p99_ms", False),
        ("bytes per vector", gate["bytes_per_vector"], None, None),
        ("tracks", gate["n"], None, None),
    ):
        wanted = limits.get(limit) if limit else None
        rows.append(
            {
                "name": name,
                "value": brief(value),
                "limit": "" if wanted is None else f"{'≥' if at_least else '≤'} {brief(wanted)}",
                "met": None if wanted is None else bool(value >= wanted if at_least else value <= wanted),
            }
        )
    body = render(
        "index",
        rows=rows,
        factory=gate["factory"],
        reason=gate.get("reason", ""),
        machine=gate.get("machine", "an unnamed machine"),
    )
    return Section(anchor, title, body)


def _series(metrics: Sequence[Entry], name: str) -> dict[str, list[tuple[float, float]]]:
    """Points (step, value) of each split in which the number was logged."""
    series: dict[str, list[tuple[float, float]]] = {}
    for row in metrics:
        if row.get(name) is not None and np.isfinite(row[name]):
            series.setdefault(row["split"], []).append((row["step"], row[name]))
    return series
