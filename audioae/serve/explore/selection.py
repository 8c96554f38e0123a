"""`POST /v1/map/selection`: what a lasso holds, as statistics and as files.

Conventions
-----------
- A selection is the tracks inside of a polygon, or some rows, or all; of these, those that pass the filters. Filters
  that nothing passes give an empty selection.
- Statistics are of all selected tracks; typical and odd ones were looked for among `sampled`.
"""

from typing import Any

import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from audioae.explore.selection import Selection
from audioae.explore.selection_files import as_csv, as_m3u8, track_ids
from audioae.explore.track_map import TrackMap
from audioae.serve.explore.bodies import BINARY, SelectionRequest, ask_map, map_version
from audioae.serve.requests import respond

router = APIRouter(prefix="/v1", tags=["explorer"], dependencies=[Depends(map_version)])

NAME = "Selection"
FAULTS: dict = {404: {}, 409: {}}


class ShareModel(BaseModel):
    """A value that `n` tracks have; `lift` and `log_odds` compare it with the catalog, `z` above 2 is not by chance."""

    value: str
    n: int
    share: float
    lift: float
    log_odds: float
    z: float


class FeatureModel(BaseModel):
    """A number's mean in the selection and in the catalog; `effect` is Cohen's d, from `low` to `high` with 95 %."""

    name: str
    title: str
    kind: str
    unit: str
    n: int
    value: float
    catalog: float
    effect: float
    low: float
    high: float


class SuggestionModel(BaseModel):
    """A label that clearly holds: `n` tracks have it, a `share` of all, and of those that are labeled."""

    label: str
    n: int
    share: float
    share_of_labeled: float


class SelectionModel(BaseModel):
    """The selection: `n` tracks; `typical` and `odd` are rows, whose cosines to the mean are in `scores`."""

    index: str
    model: str
    version: str
    n: int
    sampled: int
    labels: list[ShareModel]
    artists: list[ShareModel]
    regions: list[ShareModel]
    typical: list[int]
    odd: list[int]
    scores: dict[str, list[float]]
    features: list[FeatureModel]
    suggestion: SuggestionModel | None


class IdsModel(BaseModel):
    """The track_ids, as the filter `allow_ids` takes them."""

    index: str
    model: str
    track_ids: list[str]


def _file(media_type: str) -> dict:
    return {200: {"content": {media_type: {"schema": {"type": "string"}}}}, **FAULTS}


@router.post("/map/selection", responses={200: {"model": SelectionModel}, **FAULTS})
async def selection(request: Request, body: SelectionRequest) -> Response:
    """What the selected tracks are, what sets them apart, which are typical and which are odd."""
    return respond(request, await ask_map(request, lambda opened: _document(_selected(opened, body))))


@router.post("/map/selection:csv", responses=_file("text/csv"), response_class=Response)
async def selection_csv(request: Request, body: SelectionRequest) -> Response:
    """The selected tracks as a table; up to 100,000."""
    content = await ask_map(request, lambda opened: as_csv(_selected(opened, body)))
    return _download(content, "text/csv; charset=utf-8", "selection.csv")


@router.post("/map/selection:m3u8", responses=_file("audio/x-mpegurl"), response_class=Response)
async def selection_m3u8(request: Request, body: SelectionRequest) -> Response:
    """The selected tracks as a playlist for players; up to 100,000."""
    content = await ask_map(request, lambda opened: as_m3u8(_selected(opened, body), NAME))
    return _download(content, "audio/x-mpegurl", "selection.m3u8")


@router.post("/map/selection:rows", responses={200: BINARY, **FAULTS}, response_class=Response)
async def selection_rows(request: Request, body: SelectionRequest) -> Response:
    """The selected rows: uint32, little-endian, ascending."""
    rows = await ask_map(request, lambda opened: _selected(opened, body).rows)
    return Response(rows.astype("<u4").tobytes(), media_type="application/octet-stream")


@router.post("/map/selection:ids", responses={200: {"model": IdsModel}, **FAULTS})
async def selection_ids(request: Request, body: SelectionRequest) -> Response:
    """The selected track_ids, to filter by; up to 100,000."""
    ids = await ask_map(request, lambda opened: track_ids(_selected(opened, body)))
    return respond(request, {"track_ids": ids})


def _selected(opened: TrackMap, body: SelectionRequest) -> Selection:
    polygon = None if body.polygon is None else np.array(body.polygon)
    return opened.select(polygon, body.rows, body.filters.to_filters() if body.filters else None)


def _document(selected: Selection) -> dict[str, Any]:
    typical, odd, suggestion = selected.typical, selected.odd, selected.suggestion
    groups = {f"{name}s": [one._asdict() for one in selected.shares(name)] for name in ("label", "artist", "region")}
    return {
        "version": selected.map.version,
        "n": len(selected),
        "sampled": selected.sampled,
        **groups,
        "typical": typical.rows,
        "odd": odd.rows,
        "scores": {"typical": typical.scores, "odd": odd.scores},
        "features": [vars(one) for one in selected.features],
        "suggestion": suggestion and suggestion._asdict(),
    }


def _download(content: bytes, media_type: str, name: str) -> Response:
    return Response(content, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
