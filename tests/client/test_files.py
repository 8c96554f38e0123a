"""Files of the client's machine: uploaded for the question, or embedded first if there are other seeds."""

from pathlib import Path

import numpy as np
import pytest

import audioae
from audioae.errors import AudioError, SearchError
from audioae.similarity.seeds import FileSeed
from tests.audio.made import music, write
from tests.serve.serving import Server


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("song") / "song.mp3", music(9.0))


def ids(answer) -> list[str]:
    return [neighbor.track_id for neighbor in answer.neighbors]


def test_a_file_is_a_seed_as_it_is_for_the_library(embedding: Server, song: Path):
    opened = embedding.library
    with audioae.connect(embedding.url) as connected:
        assert ids(connected.similar(str(song), 4)) == ids(opened.similar(str(song), 4))
        assert ids(connected.similar(FileSeed(song), 4, minus="t07")) == ids(
            opened.similar(FileSeed(song), 4, minus="t07")
        )
        mixed = [f"{song}:2", "t03"]
        assert ids(connected.similar(mixed, 4)) == ids(opened.similar(mixed, 4))
        assert ids(connected.similar("t03", 4, minus=FileSeed(song))) == ids(
            opened.similar("t03", 4, minus=FileSeed(song))
        )
        remote, local = connected.embed(song), opened.embed(song)
        np.testing.assert_allclose(remote.embedding, local.embedding, atol=1e-6)
        assert (remote.n_clips, remote.padded) == (local.n_clips, local.padded)
        assert remote.health["codec"] == local.health["codec"]


def test_a_file_that_cannot_be_used_is_the_librarys_error(embedding: Server, tmp_path: Path):
    text = tmp_path / "notes.mp3"
    text.write_text("not music")
    with audioae.connect(embedding.url) as connected:
        with pytest.raises(AudioError, match=r"not_audio: notes\.mp3") as error:
            connected.similar(str(text))
        assert error.value.reason == "not_audio"
        with pytest.raises(SearchError, match=r"gone\.mp3: cannot be read"):
            connected.similar(FileSeed(tmp_path / "gone.mp3"))
        with pytest.raises(SearchError, match="expected a track_id, a title or an audio file"):
            connected.similar(str(tmp_path / "gone.mp3"))
