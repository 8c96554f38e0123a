"""Evidence of faults in every section of a file, also between the clips of a long track.

Conventions
-----------
- A file is decoded from end to end, block by block: however long it is, only one section is in memory.
- A section lasts `SECTION_S` or a little more: it ends with a block of the decoder. The last one has the file's rest.
- Of a section whose channels cancel each other in their mean nothing is known.
"""

from pathlib import Path
from typing import Any

import numpy as np

from audioae.audio.blame import blame_file
from audioae.audio.decode import check_finite, mix
from audioae.audio.health import HealthMeter
from audioae.audio.integrity import Container
from audioae.audio.reader import Reader
from audioae.audio.readers import read_file

SECTION_S = 10.0


@blame_file
def measure_sections(path: str | Path) -> list[dict[str, Any]]:
    """Measure a file section by section. Runs in worker processes.

    Returns
    -------
    sections : list of dict
        In the order of the track: start_s, stop_s, and the evidence of `HealthMeter.columns`.

    Raises
    ------
    AudioError
        If a part of the file cannot be decoded, or is not finite; see `decode.REASONS`.
    """
    return read_file(path, _measure)


def _measure(reader: Reader, _: Container) -> list[dict[str, Any]]:
    rate, sections = reader.sample_rate, []
    start = position = 0
    meter = HealthMeter(rate, reader.channels)
    for block in reader.blocks(0, reader.n_frames):
        check_finite(block, position, rate)
        mono = np.empty(block.shape[1], np.float32)  # the meter keeps it
        mix(block, mono)
        meter.add(block, mono, position)
        position += block.shape[1]
        if min(position - start, reader.n_frames - position) >= SECTION_S * rate:
            sections += _section(meter, start, position)
            start, meter = position, HealthMeter(rate, reader.channels)
    return sections + (_section(meter, start, position) if position > start else [])


def _section(meter: HealthMeter, start: int, stop: int) -> list[dict[str, Any]]:
    rate = meter.sample_rate
    return [] if meter.cancels() else [{"start_s": start / rate, "stop_s": stop / rate, **meter.columns()}]
