"""The demo catalog: music composed, played, mixed, encoded and filed by rule, with its truth and its faults on record.

From the bottom up: `oscillators` > `instruments`, `voice`, `drums` > `effects`; `harmony` > `patterns` > `styles` >
`compose` > `render`; `names` > `plan`; `encode` > `write`.
"""

from audioae.demo.plan import SynthConfig
from audioae.demo.write import PLANTED, TRUTH, synthesize

__all__ = ["PLANTED", "TRUTH", "SynthConfig", "synthesize"]
