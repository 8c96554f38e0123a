"""Previews that the model decodes between tracks."""

import numpy as np
import pytest

from audioae.api import Library
from audioae.errors import SearchError
from audioae.playlists.latent_preview import preview_path


def test_preview_goes_from_one_decoded_track_to_the_other(library: Library, ids: list[str]):
    ends = [library.find(ids[0]), library.find(ids[3])]
    preview = preview_path(library, ends, n=3)
    assert preview.mels.shape == (3, 128, 130)
    assert preview.mels.min() >= -80
    assert preview.mels.max() <= 0
    assert preview.shares.tolist() == [0.0, 0.5, 1.0]
    assert len(preview.audio) > 8_000
    files = [library.extract_file(end.path) for end in ends]
    clips = [(*library.embedder.embed(file.codes), file.peak_db) for file in files]
    loud = [(embeddings, 10 ** (0.03 * (levels + peak_db))) for embeddings, _, levels, peak_db in clips]
    first, last = (np.average(embeddings, axis=0, weights=weights) for embeddings, weights in loud)
    direction = first / np.linalg.norm(first) + last / np.linalg.norm(last)  # the middle of the arc
    length = (np.linalg.norm(first) + np.linalg.norm(last)) / 2
    places = np.stack([first, direction / np.linalg.norm(direction) * length, last]).astype(np.float32)
    np.testing.assert_allclose(preview.mels, library.embedder.decode(places), atol=1e-3)
    assert np.abs(preview.mels[0] - preview.mels[2]).mean() > 0.1
    there_and_back = preview_path(library, [ends[0], ends[1], ends[0]], n=5)
    np.testing.assert_allclose(there_and_back.mels[[0, 2, 4]], preview.mels[[0, 2, 0]], atol=1e-3)


def test_preview_needs_two_waypoints(library: Library, ids: list[str]):
    with pytest.raises(SearchError, match="got 7 points and 1 waypoints, wanted 2 or more of each"):
        preview_path(library, [library.find(ids[0])])
