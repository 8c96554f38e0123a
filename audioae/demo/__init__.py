"""The demo catalog: synthesized music in tagged files, with planted faults and the ground truth.

From the bottom up: `oscillators` > `instruments`, `voice`, `drums` > `effects`; `harmony` > `patterns` > `styles` >
`compose` > `render`; `names` > `plan`; `encode` > `write`.
"""
