"""The registry of checks: the one place that lists them.

Conventions
-----------
- The order is that in which checks run and are shown.
- Stored findings may name a check that this version does not have: look it up with `CHECKS.get`.
"""

from importlib import import_module

from audioae.screening.check import Check

NAMES = (
    "mislabeled",
    "corrupt",
    "generated",
    "duplicate",
)

CHECKS: dict[str, Check] = {name: import_module(f"audioae.screening.{name}.check").CHECK for name in NAMES}
"""By name, in order."""
