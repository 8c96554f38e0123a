"""The page's sections on what was measured: key figures, the table of metrics, robustness, and what was left out.

Convention: each takes the parts of the evaluation's JSON that it shows, and says in one sentence if they are missing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from audioae.pages.markup import Section, card, escape, figure, interval, left_out, number
from audioae.pages.plots import strip, strip_axis

# Of several that begin alike, the last stands: "by label, other artists" follows "by label", and flatters less.
KEY_FIGURES = ("mAP by label", "kNN by label", "linear probe", "skewness")
MIN_COSINE = 0.99

SYMBOLS = {"better": "▲", "worse": "▼", "none": "="}
WORDS = {"better": "better", "worse": "worse", "none": "no difference"}
VERDICTS = {kind: f'<span class="verdict {kind}">{SYMBOLS[kind]} {WORDS[kind]}</span>' for kind in WORDS}

Entry = Mapping[str, Any]


def headline(document: Entry, n_tracks: int) -> str:
    """Subject, origin, and the key figures large."""
    subject = escape(document.get("title") or "embeddings")
    metadata = [f"{document.get('n_tracks', n_tracks):,} tracks"]
    metadata += [
        f"{name} {escape(document[key])}"
        for key, name in (("model", "of"), ("date", "evaluated"), ("machine", "on"))
        if document.get(key)
    ]
    metrics = _measured(document)
    cards = "".join(_card(metric) for metric in key_figures(metrics))
    standing = "".join(f"<li>{line}</li>" for line in _standing(metrics))
    return (
        f"<header><p class='kicker'>audioae evaluate</p><h1>{subject}</h1><p class='facts'>{' · '.join(metadata)}</p>"
        f"<div class='cards'>{cards}</div>"
        + (f"<ul class='standing'>{standing}</ul>" if standing else "")
        + "</header>"
    )


def key_figures(metrics: Sequence[Entry]) -> list[Entry]:
    """Up to four metrics for the head of the page: those of `KEY_FIGURES`, then the first of the others.

    >>> [metric["key"] for metric in key_figures([{"key": "R2 of tempo"}, {"key": "mAP by label"}])]
    ['mAP by label', 'R2 of tempo']
    """
    starting = [[metric for metric in metrics if metric["key"].startswith(start)][-1:] for start in KEY_FIGURES]
    chosen = [metric for found in starting for metric in found]
    others = [metric for metric in metrics if not metric["key"].startswith(KEY_FIGURES)]
    return (chosen + others)[: len(KEY_FIGURES)]


def metric_table(document: Entry) -> Section:
    """Metrics by names, the strongest baseline first, with intervals and verdicts."""
    title, metrics = "Against the baselines", _measured(document)
    if not metrics:
        return Section("metrics", title, left_out("the evaluation has no metrics"))
    names = _compared(metrics)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = "".join(_metric_row(metric, names) for metric in metrics)
    table = (
        '<div class="scroll"><table class="metrics"><thead><tr><th scope="col">metric</th>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    caption = (
        "Each cell: the value, its 95 % interval in brackets, and both on a line that has one scale per row. "
        f"▲, ▼ and = say how <b>{escape(names[0])}</b> compares with the column's baseline on the same tracks: "
        "better or worse where the interval of the difference leaves out 0, else no difference. Intervals cover which "
        "tracks were asked (drawn by artist), not which seed the model was trained with. Baselines stand from the "
        "hardest to beat to the easiest."
    )
    return Section("metrics", title, figure(table, caption))


def robustness(document: Entry) -> Section:
    """Cosine and self-retrieval of tracks after they were changed."""
    title, entries = "Robustness", document.get("robustness") or []
    if not entries:
        return Section("robustness", title, left_out("no changed copies of the tracks were embedded"))
    bounds = [entry.get(key) for entry in entries for key in ("cosine_mean", "cosine_low")]
    axis = strip_axis([1.0, MIN_COSINE, *bounds])[0], 1.0
    goal = 100 * (MIN_COSINE - axis[0]) / (axis[1] - axis[0])
    rows = "".join(_robustness_row(entry, axis) for entry in entries)
    head = "".join(
        f'<th scope="col">{name}</th>' for name in ("change", "cosine to itself", "at least .99", "finds itself first")
    )
    table = (
        f'<div class="scroll"><table class="robustness" style="--goal:{goal:.1f}%"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
    caption = (
        "Tracks were changed as the first column says, embedded again and compared with themselves. Dots are mean "
        f"cosines with their 95 % intervals, on a line from {number(axis[0])} to 1; the dashed "
        "mark is at .99, and min is the worst track. Bars are the share of changed tracks whose nearest of all "
        "tracks is their own original, from 0 to 1: a cosine may fall far before a track loses itself."
    )
    return Section("robustness", title, figure(table, caption))


def omitted(document: Entry) -> Section | None:
    """What the evaluation could not answer, in its own words."""
    sentences = document.get("omitted") or []
    if not sentences:
        return None
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return Section("omitted", "What was left out, and why", f'<ul class="omitted">{items}</ul>')


def _measured(document: Entry) -> list[Entry]:
    return [metric for metric in document.get("metrics") or [] if metric.get("results")]


def _compared(metrics: Sequence[Entry]) -> list[str]:
    """All names: our own, then the baselines, first the one that our own beats least often."""
    names = list(dict.fromkeys(name for metric in metrics for name in metric["results"]))
    beaten = Counter(
        name for metric in metrics for name, entry in metric["results"].items() if entry.get("verdict") == "better"
    )
    return names[:1] + sorted(names[1:], key=lambda name: beaten[name])


def _standing(metrics: Sequence[Entry]) -> list[str]:
    """A line per baseline: on how many metrics our own is better, not different, worse."""
    lines = []
    for name in _compared(metrics)[1:]:
        verdicts = Counter(metric["results"].get(name, {}).get("verdict") for metric in metrics)
        counts = [f"{VERDICTS[kind]} <b>{verdicts[kind]}</b>" for kind in VERDICTS if verdicts[kind]]
        if counts:
            lines.append(f"<span class='against'>against {escape(name)}</span> {' '.join(counts)}")
    return lines


def _card(metric: Entry) -> str:
    (_, value), *baselines = metric["results"].items()
    against = "".join(
        f'<li class="{escape(entry["verdict"])}">{SYMBOLS.get(entry["verdict"], "")} '
        f"{escape(name)} {number(entry.get('value'))}</li>"
        for name, entry in baselines
        if entry.get("verdict")
    )
    name = escape(metric["key"]) + _direction(metric)
    return card(name, number(value["value"]), interval(value.get("low"), value.get("high")) + f"<ul>{against}</ul>")


def _direction(metric: Entry) -> str:
    lower = metric.get("higher_is_better") is False
    return ' <small class="direction">lower is better</small>' if lower else ""


def _metric_row(metric: Entry, names: Sequence[str]) -> str:
    entries = [metric["results"].get(name) for name in names]
    axis = strip_axis([entry.get(key) for entry in entries if entry for key in ("value", "low", "high")])
    cells = "".join(_metric_cell(entry, axis) for entry in entries)
    n = f" <small>n = {metric['n']:,}</small>" if metric.get("n") else ""
    return f'<tr><th scope="row">{escape(metric["key"])}{n}{_direction(metric)}</th>{cells}</tr>'


def _metric_cell(entry: Entry | None, axis: tuple[float, float]) -> str:
    if not entry or entry.get("value") is None:
        return "<td>–</td>"
    verdict = VERDICTS.get(entry.get("verdict", ""), "")
    apart = entry.get("difference")
    if apart:
        bounds = f"{number(apart.get('low'), sign=True)} to {number(apart.get('high'), sign=True)}"
        verdict += (
            f' <small class="apart" title="difference, 95 %: {bounds}">{number(apart["value"], sign=True)}</small>'
        )
    line = strip(entry["value"], entry.get("low"), entry.get("high"), axis)
    return f"<td><b>{number(entry['value'])}</b> {interval(entry.get('low'), entry.get('high'))}{line}{verdict}</td>"


def _robustness_row(entry: Entry, axis: tuple[float, float]) -> str:
    cosine = strip(entry["cosine_mean"], entry.get("cosine_low"), entry.get("cosine_high"), axis)
    found = strip(entry["self_retrieval"], entry.get("self_low"), entry.get("self_high"), (0.0, 1.0), "bar")
    n = f" <small>n = {entry['n']:,}</small>" if entry.get("n") else ""
    share = entry.get("share_99")
    return (
        f'<tr><th scope="row">{escape(entry["perturbation"])}{n}</th>'
        f"<td class='goal'><b>{number(entry['cosine_mean'], 4)}</b> "
        f"<small>min {number(entry.get('cosine_min'))}</small>{cosine}</td>"
        f"<td>{'–' if share is None else f'{100 * share:.0f} %'}</td>"
        f"<td><b>{number(entry['self_retrieval'])}</b> {interval(entry.get('self_low'), entry.get('self_high'))}"
        f"{found}</td></tr>"
    )
