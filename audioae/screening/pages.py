"""Findings in pages, for services: an overview of the checks, and the worst findings of one of them.

Convention: the findings are the store's current ones. They may be about another index than the one that is asked; then
`outdated` says so.
"""

from dataclasses import dataclass
from typing import Any

from audioae.errors import SearchError
from audioae.library.generation import Generation
from audioae.screening.findings import Findings, open_findings

MAX_LIMIT = 100


@dataclass(frozen=True)
class FindingsPage:
    """Findings of one check, or the overview of all checks.

    Attributes
    ----------
    findings : str
        Their version: `findings@...`.
    screened : str
        The index that was screened.
    outdated : str or None
        A sentence if that is another index than the one that is asked.
    checks : list of dict
        Without a check: a row per check, as `Findings.overview` gives it.
    check : str or None
    worst : list of dict
        Findings of the check from `offset` on, as `Findings.worst` gives them.
    total : int
        How many findings could be listed.
    offset : int
    judged_fine : int
        Tracks that are not listed because people judged them fine.
    """

    findings: str
    screened: str
    outdated: str | None
    checks: list[dict[str, Any]]
    check: str | None = None
    worst: list[dict[str, Any]] | tuple[()] = ()
    total: int = 0
    offset: int = 0
    judged_fine: int = 0


class FindingsPages:
    """Findings as pages; what was read is kept until there are newer findings.

    Parameters
    ----------
    library : Generation
    """

    def __init__(self, library: Generation):
        self.library = library
        self._opened: Findings | None = None

    def page(self, check: str | None, limit: int, offset: int, issues_only: bool) -> FindingsPage:
        """See `Library.findings`."""
        if not 1 <= limit <= MAX_LIMIT:
            raise SearchError(f"limit={limit}: wanted 1 to {MAX_LIMIT}")
        if offset < 0:
            raise SearchError(f"offset={offset}: wanted 0 or more")
        opened = self._current()
        screened, index = opened.index_ref, self.library.index_ref
        outdated = (
            None
            if screened == index
            else (f"these findings are about {screened}, this index is {index}: run `audioae run screen CONFIG`")
        )
        names = str(opened.ref), str(screened), outdated
        if check is None:
            return FindingsPage(*names, opened.overview())
        worst, n_fine = opened.worst(check, limit, offset=offset, issues_only=issues_only)
        return FindingsPage(*names, [], check, worst, opened.count(check, issues_only=issues_only), offset, n_fine)

    def _current(self) -> Findings:
        opened = self._opened
        if opened is None or self.library.store.latest("findings") != opened.ref:
            opened = self._opened = open_findings(self.library.store)
        return opened
