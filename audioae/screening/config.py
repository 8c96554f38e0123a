"""`ScreenConfig`: a section per check of the registry, and the files of verdicts."""

from collections.abc import Iterable
from typing import Any

from pydantic import create_model

from audioae.config import Config
from audioae.screening.check import Check
from audioae.screening.registry import CHECKS


def check_sections(checks: Iterable[Check]) -> type[Config]:
    """A config with a section for each check; null turns a check off.

    A check without a section runs with its default settings, or not at all if it is off by default.
    """
    sections: dict[str, Any] = {
        check.name: (check.config | None, check.config() if check.by_default else None) for check in checks
    }
    return create_model("CheckSections", __base__=Config, **sections)


class ScreenConfig(check_sections(CHECKS.values())):
    """Which checks run, each with its settings; null turns a check off, and `generated: {}` turns that one on.

    `verdicts` names one or more CSV files written by `audioae findings --out`, with the column verdict filled in. What
    was judged in the explorer counts without it; where a file says otherwise, the file wins.
    """

    verdicts: str | tuple[str, ...] = ()

    @property
    def checks(self) -> dict[str, Config]:
        """Settings of the checks that are on, by name, in the order of the registry."""
        return {name: settings for name in CHECKS if (settings := getattr(self, name, None)) is not None}
