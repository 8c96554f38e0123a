"""Settings of decoding out of their range are errors that name the setting."""

import pytest
from pydantic import ValidationError

from audioae.audio.config import ClipConfig, DecodeConfig


@pytest.mark.parametrize("settings", [{"min_s": 4}, {"silence_dbfs": 3}, {"whole_up_to_s": -1}])
def test_rejects_decode_settings_out_of_range(settings: dict):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        DecodeConfig(**settings)


@pytest.mark.parametrize("settings", [{"max_clips": 0}, {"hop_s": 0}, {"hop_s": -1}, {"n": 3}])
def test_rejects_clip_settings_out_of_range(settings: dict):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        ClipConfig(**settings)
