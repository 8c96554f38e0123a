"""A store that was made when half a second was the least: after that it decodes only what it rejected as too short."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audioae.audio.config import DecodeConfig
from audioae.pipeline.config import MelsConfig
from audioae.pipeline.extraction import same_clips
from audioae.store.dataset import Store
from tests.pipeline.daily import Daily

EARLIER = MelsConfig(decode=DecodeConfig(min_s=0.5))


def parts(store: Store, dataset: str) -> set[str]:
    ref = store.require(dataset)
    return {part.name for part in store.manifest(ref).parts}


def test_a_lower_min_s_decodes_what_was_too_short_and_keeps_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    daily = Daily(tmp_path, monkeypatch, n=6)
    noise = 0.2 * np.random.default_rng(9).standard_normal(4_410)
    soundfile.write(daily.music / "short.mp3", noise, 22_050, format="MP3")
    daily.mels = EARLIER
    first = daily.run()
    assert (len(first.decoded), len(first.embeddings)) == (7, 6)
    before = {dataset: parts(daily.store, dataset) for dataset in ("mels", "health", "rejects", "embeddings")}

    daily.mels = MelsConfig()
    second = daily.run()
    assert (second.decoded, second.embedded) == (["short.mp3"], 1)
    assert second.embeddings.items() >= first.embeddings.items()
    assert len(second.embeddings) == 7
    for dataset, names in before.items():  # three shards, one of which has the short sound
        assert len(parts(daily.store, dataset) & names) == 2, dataset

    third = daily.run()
    assert (third.decoded, third.embedded, third.version) == ([], 0, second.version)

    daily.mels = EARLIER
    assert daily.run().version == first.version


def test_models_of_stores_with_another_min_s_are_still_good():
    lower, other = MelsConfig().model_dump(mode="json"), MelsConfig(decode=DecodeConfig(whole_up_to_s=10))
    assert same_clips(EARLIER.model_dump(mode="json"), lower)
    assert not same_clips(other.model_dump(mode="json"), lower)
    assert same_clips({}, {})
