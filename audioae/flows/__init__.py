"""Prefect flows: one file per stage, and the pipeline. They hold no logic.

Flows give stage functions retries, logs, schedules and artifacts. `launch` starts one; the deployable entry points are
in the repository's folder flows/.

Why every stage function is imported inside its flow: importing a flow module loads Prefect, but not PyTorch, librosa or
numba, so a scheduler that only looks at the flows, and a run with nothing to compute, stay light.
"""
