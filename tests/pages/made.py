"""Made data for pages, and a reader of their HTML."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np

from audioae.library.track_metadata import make_metadata

EVIL = "</script><img src=x onerror=alert(1)><script>alert(1)</script></textarea><b>\"'&"
VOID = ("meta", "img", "br", "path", "circle", "rect", "use")


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def star(n_points: int) -> np.ndarray:
    """Unit vectors of which the first is nearest to all others."""
    return unit(np.concatenate([[np.ones(n_points)], np.eye(n_points)]))


def nameless(n: int):
    """Metadata of tracks of which only the IDs are known."""
    return make_metadata([f"t{i}" for i in range(n)])


def entry(value: float, verdict: str | None = None, **more: Any) -> dict[str, Any]:
    """A value with its interval, as in an evaluation's document."""
    result: dict[str, Any] = {"value": value, "low": value - 0.05, "high": value + 0.05, **more}
    return result | ({"verdict": verdict, "difference": entry(-0.1)} if verdict else {})


METRICS = [
    {
        "key": "mAP by label",
        "higher_is_better": True,
        "n": 40,
        "results": {"audioae": entry(0.7), "easy": entry(0.3, "better"), "hard": entry(0.8, "worse")},
    },
    {
        "key": "skewness of 10-occurrence",
        "higher_is_better": False,
        "n": 39,
        "results": {"audioae": entry(0.4), "easy": entry(0.9, "better"), "hard": entry(0.41, "none")},
    },
]
DOCUMENT: dict[str, Any] = {
    "title": "embeddings@ab12",
    "model": "model@cd34",
    "n_tracks": 40,
    "date": "2026-11-21",
    "machine": "a small one",
    "k": 10,
    "metrics": METRICS,
    "omitted": [f"R2 of tempo: {EVIL}"],
    "hubs": [{"track_id": "track3", "title": EVIL, "artist": EVIL, "label": "label 3", "k_occurrence": 21}],
    "confusion": {"labels": ["a", EVIL], "counts": [[7, 3], [0, 10]], "how": "linear probe, 5 folds"},
    "codebook": {
        "perplexity": 12.5,
        "dead": 3,
        "size": 16,
        "usage": np.random.default_rng(0).dirichlet(np.ones(16), 4).tolist(),
    },
    "reconstruction": {"mean squared error": entry(0.412)},
    "robustness": [
        {
            "perturbation": "gain -6 dB",
            "n": 20,
            "cosine_mean": 0.9942,
            "cosine_low": 0.993,
            "cosine_high": 0.995,
            "cosine_min": 0.87,
            "share_99": 0.85,
            "self_retrieval": 0.95,
            "self_low": 0.9,
            "self_high": 1.0,
            "mrr": 0.9625,
            "mrr_low": 0.91,
            "mrr_high": 0.99,
            "recall_10": 1.0,
            "recall_10_low": None,
            "recall_10_high": None,
            "recall_100": None,
        }
    ],
}


class HtmlReader(HTMLParser):
    """Collects elements, text and scripts of HTML, and checks that elements nest."""

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.raw_text = ""
        self._open: list[str] = []
        self.feed(str(html))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str):
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str):
        if "script" in self._open:
            self.scripts[-1] += data
        elif "style" not in self._open:
            self.raw_text += data

    @property
    def text(self) -> str:
        """What a person reads, with single spaces."""
        return " ".join(self.raw_text.split())

    @property
    def anchors(self) -> list[str | None]:
        return [attrs["id"] for tag, attrs in self.elements if tag == "section"]

    def all(self, tag: str, kind: str = "") -> list[dict[str, str | None]]:
        """Attributes of all elements of a tag and, if given, a class."""
        return [attrs for name, attrs in self.elements if name == tag and (not kind or has_class(attrs, kind))]


def has_class(attrs: dict[str, str | None], name: str) -> bool:
    return name in (attrs.get("class") or "").split()


def text_of(html: str) -> str:
    return HtmlReader(html).text


def script_data(html: str) -> dict[str, Any]:
    """The JSON that the page's script reads."""
    return json.loads(HtmlReader(html).scripts[0])


def sections_of(html: str) -> dict[str, str]:
    """HTML of each section by its anchor."""
    return dict(re.findall(r'<section id="(\w+)">(.*?)</section>', html, re.DOTALL))


def unavailable(html: str) -> list[str]:
    """The reasons of what a page does not show."""
    return re.findall(r"Not available: (.*?)\.", text_of(html))


def check_page(html: str) -> HtmlReader:
    """Check what every page promises: it nests, loads nothing, runs no tag, and has a text for every picture."""
    reader = HtmlReader(html)
    assert "default-src 'none'" in html
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", html)
    assert "url(" not in html
    assert "@import" not in html
    for _, attrs in reader.elements:
        for name in ("src", "href"):
            assert (attrs.get(name) or "#").startswith(("data:image/", "#")), attrs
        assert not [name for name in attrs if name.startswith("on")], attrs
        assert all(name.isidentifier() or "-" in name for name in attrs), attrs
    assert len(reader.scripts) == 2
    assert "<img src=x" not in html
    assert "<script>alert" not in html
    assert "innerHTML" not in reader.scripts[1]
    assert all("alt" in attrs for attrs in reader.all("img"))
    assert all("aria-label" in attrs or attrs.get("aria-hidden") for attrs in reader.all("svg"))
    assert [attrs["href"] for attrs in reader.all("a")] == [f"#{anchor}" for anchor in reader.anchors]
    return reader
