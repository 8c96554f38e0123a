"""Sections of the evaluation page with what was measured: key figures, metrics against baselines, robustness.

Convention: a function takes the evaluation's JSON document and shows the parts that it has; a missing part becomes a
sentence.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from audioae.pages.charts import strip, strip_axis
from audioae.pages.markup import Section, left_out, render

if TYPE_CHECKING:
    from markupsafe import Markup

# If several metrics begin alike, the last is shown: "by label, other artists" follows "by label" and is harder.
KEY_FIGURES = ("mAP by label", "kNN by label", "linear probe", "skewness")
MIN_COSINE = 0.99
RANKED = ("mrr", "recall_10", "recall_100")
VERDICTS = ("better", "worse", "none")

Entry = Mapping[str, Any]


def headline(document: Entry, n_tracks: int) -> "Markup":
    """Title, origin and key figures of an evaluation."""
    metrics = _with_results(document)
    return render(
        "evaluation_header",
        title=document.get("title") or "embeddings",
        n_tracks=document.get("n_tracks", n_tracks),
        facts=[
            f"{name} {document[key]}"
            for key, name in (("model", "embedded by"), ("date", "evaluated"), ("machine", "on"))
            if document.get(key)
        ],
        figures=[_key_figure(metric) for metric in key_figures(metrics)],
        standings=_standings(metrics),
    )


def key_figures(metrics: Sequence[Entry]) -> list[Entry]:
    """Up to four metrics for the head of the page: those of `KEY_FIGURES`, then the first of the others.

    >>> [metric["key"] for metric in key_figures([{"key": "R2 of tempo"}, {"key": "mAP by label"}])]
    ['mAP by label', 'R2 of tempo']
    """
    by_start = [[metric for metric in metrics if metric["key"].startswith(start)][-1:] for start in KEY_FIGURES]
    chosen = [metric for matches in by_start for metric in matches]
    others = [metric for metric in metrics if not metric["key"].startswith(KEY_FIGURES)]
    return (chosen + others)[: len(KEY_FIGURES)]


def metric_table(document: Entry) -> Section:
    """A row per metric, a column per set of embeddings, the strongest baseline first, with intervals and verdicts."""
    anchor, title, metrics = "metrics", "Comparison with baselines", _with_results(document)
    if not metrics:
        return left_out(anchor, title, "the evaluation has no metrics")
    names = _names(metrics)
    rows = []
    for metric in metrics:
        entries = [metric["results"].get(name) for name in names]
        axis = strip_axis([entry.get(key) for entry in entries if entry for key in ("value", "low", "high")])
        rows.append((metric, [_metric_cell(entry, axis) for entry in entries]))
    return Section(anchor, title, render("metrics", names=names, rows=rows))


def robustness(document: Entry) -> Section:
    """Cosine to the original and self-retrieval of tracks that were re-encoded, shifted or filtered."""
    anchor, title, entries = "robustness", "Robustness", document.get("robustness") or []
    if not entries:
        return left_out(anchor, title, "no perturbed copies of the tracks were embedded")
    bounds = [entry.get(key) for entry in entries for key in ("cosine_mean", "cosine_low")]
    axis = strip_axis([1.0, MIN_COSINE, *bounds])[0], 1.0
    goal = 100 * (MIN_COSINE - axis[0]) / (axis[1] - axis[0])
    rows = [
        {
            **{key: entry.get(key) for key in ("n", "cosine_min", "share_99", "self_low", "self_high")},
            **{key: entry[key] for key in ("perturbation", "cosine_mean", "self_retrieval")},
            "cosine": strip(entry["cosine_mean"], entry.get("cosine_low"), entry.get("cosine_high"), axis),
            **{key: entry.get(key) for name in RANKED for key in (name, f"{name}_low", f"{name}_high")},
            "found": strip(entry["self_retrieval"], entry.get("self_low"), entry.get("self_high"), (0.0, 1.0), "bar"),
        }
        for entry in entries
    ]
    return Section(anchor, title, render("robustness", rows=rows, goal=f"{goal:.1f}", start=axis[0]))


def carriers(document: Entry) -> Section | None:
    """Which dimensions and which code carry each number that was predicted; None if no number was."""
    rows = [carrier_row(carrier) for carrier in document.get("carriers") or []]
    if not rows:
        return None
    body = render("carriers", columns=list(rows[0]), rows=[list(row.values()) for row in rows])
    return Section("carriers", "What carries tempo, energy and other numbers", body)


def carrier_row(carrier: Entry) -> dict[str, str]:
    """One entry of `metrics.carriers` as texts by column.

    >>> code = {"book": 3, "code": 17, "low": 0.02, "high": 0.31}
    >>> heavy = [{"dimension": 9, "weight": 0.4, "correlation": 0.55}]
    >>> made = {"target": "energy", "r2": 0.7, "n_dimensions": 128, "needed": 16, "dimensions": heavy, "code": code}
    >>> list(carrier_row(made).values())
    ['energy', '0.700', '16 of 128', '9 (+0.55)', '3/17: 2 % to 31 %']
    """
    needed, code = carrier["needed"], carrier["code"]
    heavy = [f"{one['dimension']} ({one['correlation']:+.2f})" for one in carrier["dimensions"]]
    return {
        "": carrier["target"],
        "R2": f"{carrier['r2']:.3f}",
        "dimensions for 90 % of it": "nothing is known" if needed is None else f"{needed} of {carrier['n_dimensions']}",
        "heaviest (correlation)": ", ".join(heavy) if needed is not None else "",
        "code: share in low and high": ""
        if code is None or needed is None
        else f"{code['book']}/{code['code']}: {code['low']:.0%} to {code['high']:.0%}".replace("%", " %"),
    }


def omitted(sentences: Sequence[str]) -> Section | None:
    """What could not be measured or shown, and why; None if nothing is missing."""
    return Section("omitted", "Not included, and why", render("omitted", sentences=sentences)) if sentences else None


def _with_results(document: Entry) -> list[Entry]:
    return [metric for metric in document.get("metrics") or [] if metric.get("results")]


def _names(metrics: Sequence[Entry]) -> list[str]:
    """The evaluated embeddings, then the baselines from the one beaten least often to the one beaten most often."""
    names = list(dict.fromkeys(name for metric in metrics for name in metric["results"]))
    beaten = Counter(
        name for metric in metrics for name, entry in metric["results"].items() if entry.get("verdict") == "better"
    )
    return names[:1] + sorted(names[1:], key=lambda name: beaten[name])


def _standings(metrics: Sequence[Entry]) -> list[tuple[str, list[tuple[str, int]]]]:
    """For each baseline, on how many metrics the evaluated embeddings are better, worse or not different."""
    standings = []
    for name in _names(metrics)[1:]:
        verdicts = Counter(metric["results"].get(name, {}).get("verdict") for metric in metrics)
        if counts := [(kind, verdicts[kind]) for kind in VERDICTS if verdicts[kind]]:
            standings.append((name, counts))
    return standings


def _key_figure(metric: Entry) -> dict[str, Any]:
    (_, value), *others = metric["results"].items()
    return {
        "key": metric["key"],
        "lower_is_better": metric.get("higher_is_better") is False,
        "note": metric.get("note"),
        **{name: value.get(name) for name in ("value", "low", "high")},
        "baselines": [(name, entry) for name, entry in others if entry.get("verdict") in VERDICTS],
    }


def _metric_cell(entry: Entry | None, axis: tuple[float, float]) -> dict[str, Any] | None:
    if not entry or entry.get("value") is None:
        return None
    low, high = entry.get("low"), entry.get("high")
    return {
        "value": entry["value"],
        "low": low,
        "high": high,
        "line": strip(entry["value"], low, high, axis),
        "verdict": entry["verdict"] if entry.get("verdict") in VERDICTS else None,
        "difference": entry.get("difference"),
    }
