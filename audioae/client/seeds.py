"""What a person's seeds mean to a service that takes none of their titles and paths.

Conventions
-----------
- A text is sent as a track_id first. Only if the service does not know it, it is looked up: as a title, as a title with
  a weight behind it, and then as a file on this machine.
- A file that is the only seed is uploaded with the question, and the service then leaves out its copies. With other
  seeds it is embedded first, and its copies may be in the answer.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from audioae.client.answers import ServedEmbedding, embedding_from, track_from, tracks_from
from audioae.client.forms import TypedQuery, answer_from, options_form, seed_form
from audioae.client.transport import Transport
from audioae.errors import SearchError, UnknownTrackError
from audioae.library.track_state import TrackState
from audioae.similarity.answer import Answer
from audioae.similarity.known_tracks import KnownTrack
from audioae.similarity.query import SimilarQuery
from audioae.similarity.seeds import WEIGHTED, AliasSeed, EmbeddingSeed, FileSeed, Seed, TrackSeed, TypedSeed, listed

LISTED = 10  # tracks in a message
LONGEST_ID = 200


def as_sent(query: SimilarQuery) -> TypedQuery:
    """A query with its texts taken for track_ids. Raises `SearchError` if it has no seed."""
    liked, disliked = listed(query.seeds), listed(query.minus)
    if not liked:
        raise SearchError("no seed: wanted at least one track, file or embedding to be like")
    has_texts = any(isinstance(seed, str) for seed in (*liked, *disliked))
    return TypedQuery(
        [_literal(seed) for seed in liked], query.k, [_literal(seed) for seed in disliked], query.options, has_texts
    )


class SeedResolver:
    """Looks seeds up at a service, and uploads files."""

    def __init__(self, service: Transport):
        self._service = service

    def look_up(self, query: SimilarQuery) -> TypedQuery:
        """A query with what its texts mean. Raises `SearchError` if one means nothing, or several tracks."""
        liked, disliked = ([self._meant(seed) for seed in listed(seeds)] for seeds in (query.seeds, query.minus))
        return TypedQuery(liked, query.k, disliked, query.options)

    def without_files(self, query: TypedQuery) -> TypedQuery:
        """A query with the embeddings of its files in their place."""
        liked, disliked = (
            [self._embedded(seed) if isinstance(seed, FileSeed) else seed for seed in seeds]
            for seeds in (query.seeds, query.minus)
        )
        return replace(query, seeds=liked, minus=disliked)

    def embed(self, seed: FileSeed) -> ServedEmbedding:
        """The embedding of a file of this machine."""
        return embedding_from(self._upload("/v1/embed", seed, {}))

    def similar_to_file(self, query: TypedQuery) -> Answer:
        """The answer to a query whose only seed is a file."""
        (seed,) = query.seeds
        assert isinstance(seed, FileSeed)
        minus = [seed_form(self._embedded(one) if isinstance(one, FileSeed) else one) for one in query.minus]
        options = {**options_form(query.options), "k": query.k, "minus": minus}
        return answer_from(self._upload("/v1/similar:file", seed, {"options": json.dumps(options)}), query)

    def track(self, track_id: str) -> TrackState:
        """A track by its track_id. Raises `UnknownTrackError`."""
        if "/" in track_id or track_id in ("", ".", "..") or len(track_id) > LONGEST_ID:
            raise UnknownTrackError(f"no track_id {track_id!r} at {self._service.url}; look it up by its title first")
        return track_from(self._service.get(f"/v1/tracks/{quote(track_id, safe='')}"))

    def known(self, seed: KnownTrack) -> TrackSeed | AliasSeed:
        """A typed seed for a track that must be in the catalog; a text is looked up."""
        return TrackSeed(str(self.find(seed).track.track_id)) if isinstance(seed, str) else seed

    def find(self, query: str) -> TrackState:
        """The one track that a text names. Raises `SearchError` if none or several match."""
        try:
            return self.track(query)
        except UnknownTrackError:
            pass
        page = tracks_from(self._service.get("/v1/tracks", query=query, limit=LISTED))
        whole = [row for row in page.tracks if (row.title or "").lower() == query.lower()]
        if len(whole) == 1 or page.total == 1:
            return self.track((whole or page.tracks)[0].track_id)
        if not page.total:
            raise SearchError(
                f"no track {query!r} at {self._service.url}; expected a track_id, a title or an audio file"
            )
        named = "\n".join(f"  {row.track_id}  {row.title} - {row.artist} ({row.album})" for row in page.tracks)
        raise SearchError(f"{query!r} matches {page.total} tracks; name one by its track_id:\n{named}")

    def _embedded(self, seed: FileSeed) -> EmbeddingSeed:
        return EmbeddingSeed(self.embed(seed).embedding, seed.weight)

    def _meant(self, seed: Seed) -> TypedSeed:
        if not isinstance(seed, str):
            return _literal(seed)
        try:
            return self._named(seed, 1.0)
        except SearchError:
            parts = WEIGHTED.fullmatch(seed)
            if parts is None:
                raise
            return self._named(parts["seed"], float(parts["weight"]))

    def _named(self, text: str, weight: float) -> TypedSeed:
        try:
            return TrackSeed(str(self.find(text).track.track_id), weight)
        except SearchError:
            if not Path(text).is_file():
                raise
            return FileSeed(text, weight)

    def _upload(self, path: str, seed: FileSeed, form: dict[str, str]) -> dict[str, Any]:
        name = seed.name or Path(seed.path).name
        try:
            with Path(seed.path).open("rb") as opened:
                return self._service.upload(path, (name, opened), form)
        except OSError as error:
            raise SearchError(f"{seed.path}: cannot be read ({error}); give the path of an audio file") from None


def _literal(seed: Seed) -> TypedSeed:
    """A typed seed without looking anything up: a text is taken for a track_id."""
    if isinstance(seed, str):
        return TrackSeed(seed)
    return EmbeddingSeed(seed) if isinstance(seed, np.ndarray) else seed
