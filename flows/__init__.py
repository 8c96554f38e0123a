"""Prefect flows: one file per stage, and the pipeline. They hold no logic."""
