"""What the endpoints of versions answer."""

from typing import Literal

from pydantic import BaseModel


class IndexVersionModel(BaseModel):
    """A version of the index; `points` says where its places on the map come from: a map of its own, or neighbors."""

    ref: str
    embeddings: str
    model: str
    published: str | None
    tracks: int
    served: bool
    points: Literal["map", "neighbors"]


class VersionsModel(BaseModel):
    """The versions of the index, newest first; at most 100."""

    index: str
    model: str
    versions: list[IndexVersionModel]


class ComparedModel(BaseModel):
    """One of two compared versions."""

    ref: str
    embeddings: str
    model: str
    published: str | None
    tracks: int


class OverlapModel(BaseModel):
    """The share of neighbors that a track keeps; `histogram` has the tracks that keep 0, 1 ... k."""

    mean: float
    low: float | None
    high: float | None
    chance: float
    histogram: list[int]


class AlignedModel(BaseModel):
    """The mean cosine of a track's two embeddings after the best rotation, and that of randomly paired tracks."""

    cosine: float
    chance: float
    residual: float


class SameLabelModel(BaseModel):
    """The share of neighbors with the track's label in both versions, and the difference with its interval."""

    a: float
    b: float
    difference: float
    low: float | None
    high: float | None


class GroupModel(BaseModel):
    """A label or region: `same_a` and `same_b` are the share of its tracks' neighbors that are in it as well."""

    name: str
    n: int
    overlap: float | None
    low: float | None
    high: float | None
    cosine: float | None
    same_a: float | None
    same_b: float | None
    same_low: float | None
    same_high: float | None


class NamedModel(BaseModel):
    """Who a track is."""

    track_id: str
    title: str | None
    artist: str | None
    label: str | None


class NeighborModel(NamedModel):
    """A neighbor in one version; `kept` if it is one in the other as well."""

    score: float
    kept: bool


class ChangedModel(NamedModel):
    """A track whose neighbors changed."""

    overlap: float
    cosine: float
    before: list[NeighborModel]
    after: list[NeighborModel]


class HubModel(NamedModel):
    """A track, and in how many lists it is in each version."""

    before: int
    after: int


class HubsModel(BaseModel):
    """Tracks that are in at least `threshold` lists: how many, and those that became or ceased to be one."""

    threshold: int
    a: int
    b: int
    n_gained: int
    n_lost: int
    gained: list[HubModel]
    lost: list[HubModel]
    never_a: int | None
    never_b: int | None


class ComparisonModel(BaseModel):
    """What changed from version `a` to `b`; labels, regions and tracks that changed most come first."""

    index: str
    model: str
    a: ComparedModel
    b: ComparedModel
    k: int
    shared: int
    measured: int
    overlap: OverlapModel
    aligned: AlignedModel
    same_label: SameLabelModel | None
    labels: list[GroupModel]
    regions: list[GroupModel]
    changed: list[ChangedModel]
    hubs: HubsModel
    sentences: list[str]
