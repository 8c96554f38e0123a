"""What a comparison of two versions says, in sentences that its numbers bear out.

Conventions
-----------
- A difference is stated only if its 95 % interval excludes none. A group is said to have changed more or less than the
  catalog if the two intervals do not meet; groups of fewer than `MIN_TRACKS` tracks are not spoken of. With too few
  artists there is no interval, and nothing is stated.
- Intervals are of single groups: of 20 labels that did not change, one is expected to look changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from audioae.display import shown
from audioae.metrics.intervals import MIN_GROUPS

MIN_TRACKS = 5
NAMED = 3


def sentences(document: Mapping[str, Any]) -> list[str]:
    """What the document of `compare_versions` says."""
    return [
        *_what_was_compared(document),
        *_neighbors(document),
        *_groups(document["labels"], "label", document),
        *_groups(document["regions"], "region", document),
        *_same_label(document),
        *_alignment(document),
        *_hubs(document["hubs"], document["measured"]),
    ]


def _what_was_compared(document: Mapping[str, Any]) -> Iterator[str]:
    a, b = document["a"], document["b"]
    if a["embeddings"] == b["embeddings"]:
        yield f"{a['ref']} and {b['ref']} have the same embeddings, {a['embeddings']}: there is nothing to compare."
    only = [f"{one['tracks'] - document['shared']} only in {one['embeddings']}" for one in (a, b)]
    yield f"{document['shared']} tracks are in both versions; {', '.join(only)}."
    if document["measured"] < document["shared"]:
        yield (
            f"Measured on a random sample of {document['measured']} tracks; their neighbors are exact, among all "
            f"{document['shared']}."
        )


def _neighbors(document: Mapping[str, Any]) -> Iterator[str]:
    overlap, k, histogram = document["overlap"], document["k"], document["overlap"]["histogram"]
    if histogram[-1] == document["measured"]:
        yield f"Every track keeps its {k} nearest neighbors."
        return
    yield (
        f"A track keeps {_percent(overlap['mean'])}{_range(overlap)} of its {k} nearest neighbors; unrelated "
        f"embeddings would keep {_percent(overlap['chance'])}."
    )
    yield f"{histogram[-1]} tracks keep all {k}, {histogram[0]} keep none."
    if overlap["low"] is None:
        yield f"There are no intervals: the measured tracks are by fewer than {MIN_GROUPS} artists."


def _groups(rows: Sequence[Mapping[str, Any]], kind: str, document: Mapping[str, Any]) -> Iterator[str]:
    """Groups that changed more or less than the catalog."""
    overlap = document["overlap"]
    rows = [row for row in rows if row["n"] >= MIN_TRACKS and row["low"] is not None]
    if overlap["low"] is None or len(rows) < 2:
        return
    more = [row for row in rows if row["high"] < overlap["low"]]
    less = [row for row in reversed(rows) if row["low"] > overlap["high"]]
    for changed, how in ((more, "more"), (less, "less")):
        if changed:
            named = [f"{_name(row)} keeps {_percent(row['overlap'])}{_range(row)}" for row in changed[:NAMED]]
            yield f"{_count(changed, kind)} changed {how} than the catalog: {', '.join(named)}."
    if not more and not less:
        yield f"No {kind} changed clearly more or less than the catalog."


def _same_label(document: Mapping[str, Any]) -> Iterator[str]:
    """Whether neighbors share the label more or less often than before, and for which labels."""
    same = document["same_label"]
    if same is None:
        return
    change = f"before: {_percent(same['a'])}, after: {_percent(same['b'])}"
    if same["low"] is None:
        yield f"Too few artists to tell whether neighbors share a track's label as often as before ({change})."
    elif same["low"] <= 0 <= same["high"]:
        yield f"Neighbors share a track's label about as often as before ({change})."
    else:
        how = "more" if same["difference"] > 0 else "less"
        yield f"Neighbors share a track's label {how} often ({change})."
    rows = [row for row in document["labels"] if row["n"] >= MIN_TRACKS and row["same_low"] is not None]
    lost = sorted((row for row in rows if row["same_high"] < 0), key=lambda row: row["same_b"] - row["same_a"])
    gained = sorted((row for row in rows if row["same_low"] > 0), key=lambda row: row["same_a"] - row["same_b"])
    for changed, how in ((lost, "fewer"), (gained, "more")):
        if changed:
            named = [f"{_name(row)} {_percent(row['same_a'])} to {_percent(row['same_b'])}" for row in changed[:NAMED]]
            yield f"Same-label neighbors became {how} in {_count(changed, 'label')}: {', '.join(named)}."


def _alignment(document: Mapping[str, Any]) -> Iterator[str]:
    aligned = document["aligned"]
    yield (
        f"After the best rotation, a track's two embeddings have a mean cosine of {aligned['cosine']:.3f} (tracks "
        f"paired at random: {aligned['chance']:.3f})."
    )


def _hubs(hubs: Mapping[str, Any], measured: int) -> Iterator[str]:
    if not hubs["a"] and not hubs["b"]:
        yield f"No track is a hub (in {hubs['threshold']} of {measured} lists) in either version."
    else:
        yield (
            f"Hubs, tracks in at least {hubs['threshold']} of {measured} lists: {hubs['a']} before, {hubs['b']} after; "
            f"{hubs['n_gained']} new, {hubs['n_lost']} gone."
        )
    if hubs["never_a"] is not None:
        yield f"In no list: {hubs['never_a']} tracks before, {hubs['never_b']} after."


def _range(row: Mapping[str, Any]) -> str:
    if row["low"] is None:
        return ""
    return f" ({_percent(max(row['low'], 0)).removesuffix(' %')} to {_percent(min(row['high'], 1))})"


def _percent(share: float) -> str:
    """
    >>> _percent(0.123), _percent(0.004)
    ('12 %', '0.4 %')
    """
    return f"{100 * share:.0f} %" if share >= 0.095 or share == 0 else f"{100 * share:.1f} %"


def _name(row: Mapping[str, Any]) -> str:
    return f"'{shown(row['name'], 60)}'"


def _count(rows: Sequence, kind: str) -> str:
    """
    >>> _count([1, 2], "label")
    '2 labels'
    """
    return f"{len(rows)} {kind}{'s' if len(rows) > 1 else ''}"
