"""The demo catalog: music composed, played, mixed and encoded by rule, with its truth and its planted faults on record.

From the bottom up: `oscillators` > `instruments`, `voice`, `drums` > `effects`; `harmony` > `patterns` > `styles` >
`compose` > `render`; `names` > `plan`; `encode` > `write`.
"""
