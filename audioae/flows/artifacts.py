"""What a run leaves in Prefect's page: a table for each stage; for the pipeline a summary and the map of the catalog.

Conventions
-----------
- The key of an artifact is its stage and its config, so that Prefect shows the runs of one catalog as one history.
- Numbers have three significant digits. Prefect renders Markdown, so what comes from a catalog is escaped.
- The map is embedded as a data URI, with few colors: Prefect's server cannot read the store.
"""

import base64
import io
import logging
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from prefect.artifacts import create_image_artifact, create_markdown_artifact

from audioae.flows.reporting import DRIFT, current
from audioae.pages.formats import brief, words
from audioae.pipeline.run_log import reject_reasons, without_passwords
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

if TYPE_CHECKING:
    from audioae.report.run_summary import Summary

COLORS = 128
_log = logging.getLogger(__name__)


def publish_artifact(stage: str, ref: str, lines: Mapping[str, Any]) -> None:
    """Leave a stage's result in Prefect's page, and in the row of the run."""
    report = current()
    if report:
        report.row.counts[stage] = {name: _plain(value) for name, value in lines.items()}
        report.row.refs[stage] = ref
    rows = table(("", ""), ((words(name), value) for name, value in lines.items()))
    create_markdown_artifact(f"## {ref}\n\n{rows}\n", key=_key(stage), description=f"stage {stage}: {ref}")


def publish_rejects(store: Store, rejects: DatasetRef) -> None:
    """Record the rejected tracks; if there are any, the flow ends in the state `CompletedWithRejects`."""
    if report := current():
        report.count_rejects(reject_reasons(store, rejects))


def publish_drift(store: Store, embeddings: DatasetRef) -> None:
    """Measure drift and show it; with an alarm the flow ends in the state `CompletedWithDrift`.

    What is published already stays so: if drift cannot be measured, that is a warning.
    """
    from audioae.pipeline.drift import update_drift

    report = current()
    if report is None:
        return
    try:
        drift = update_drift(store, embeddings)
    except Exception as error:  # noqa: BLE001 - the embeddings are there
        _log.warning(f"drift of {embeddings} is not measured: {type(error).__name__}: {error}")
        return
    report.row.drift = {name: _plain(value) for name, value in drift.facts().items()}
    rows = table(("", ""), ((words(name), value) for name, value in report.row.drift.items()))
    description = f"drift of {embeddings}"
    create_markdown_artifact(f"## {description}\n\n{rows}\n", key=_key("drift"), description=description)
    if drift.alarms:
        report.warn(DRIFT, drift.summary)


def publish_summary(summary: "Summary", picture: bytes | None, report_url: str | None = None) -> None:
    """Leave the summary of a pipeline run in Prefect's page, and its map as a picture."""
    accounting = summary.accounting
    title = f"{accounting.embedded:,} of {accounting.n_tracks:,} tracks embedded"
    create_markdown_artifact(summary_page(summary, title, report_url), key=_key("pipeline"), description=title)
    if picture:
        create_image_artifact(data_uri(picture), key=_key("map"), description="the tracks by sound")


def summary_page(summary: "Summary", title: str, report_url: str | None = None) -> str:
    """The summary of a pipeline run as Markdown."""
    accounting, report = summary.accounting, current()
    states = {"embedded": accounting.embedded, "exact duplicates": accounting.duplicates}
    states |= {f"rejected: {reason}": n for reason, n in accounting.rejected.items()}
    states |= accounting.pending_states
    problems = [f"> **{name}**: {_cell(message)}\n" for name, message in (report.problems if report else {}).items()]
    checks = ((row["check"], row["issues"], row["screened"]) for row in summary.screened)
    drift = report.row.drift if report else None
    store = without_passwords(summary.root.partition("?")[0])
    page = f"[Report]({report_url})" if report_url else f"`audioae report --store {store}` writes the report."
    parts = [
        f"## {title}",
        *problems,
        table(("tracks", ""), states.items()),
        table(("stage", "seconds"), summary.seconds.items()),
        table(("index", ""), ((words(name), value) for name, value in summary.gate.items())),
        *([table(("check", "issues", "tracks"), checks)] if summary.screened else []),
        *([table(("drift", ""), ((words(name), value) for name, value in drift.items()))] if drift else []),
        table(("dataset", "version"), summary.refs.items()),
        page,
    ]
    return "\n\n".join(parts) + "\n"


def table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    r"""A Markdown table; numbers have three significant digits.

    >>> print(table(("stage", "s"), [("mels", 0.0792175001151918), ("a|b", 12345)]))
    | stage | s |
    |---|---|
    | mels | 0.0792 |
    | a\|b | 12,345 |
    """
    names = list(header)
    lines = [names, ["---"] * len(names), *([_cell(brief(value)) for value in row] for row in rows)]
    return "\n".join(f"|{'|'.join(line)}|" if "---" in line else f"| {' | '.join(line)} |" for line in lines)


def data_uri(png: bytes) -> str:
    """A picture as an address that contains it, with at most `COLORS` colors."""
    from PIL import Image

    small, colors = io.BytesIO(), Image.Quantize.MAXCOVERAGE  # others merge the colors of rare labels
    picture = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLORS, colors, dither=Image.Dither.NONE)
    picture.save(small, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(small.getvalue()).decode()}"


def _key(stage: str) -> str:
    report = current()
    name = f"{stage}-{report.row.config_name}" if report else stage
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _cell(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return re.sub(r"([|`*_<>\[\]\\])", r"\\\1", " ".join(text.split()))


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | bool) or value is None else str(value)
