"""Numbers in the sentences that users read."""


def percent(share: float) -> str:
    """A share with the digits that matter.

    >>> percent(0.0032), percent(0.0131), percent(0.078), percent(0.874)
    ('0.3 %', '1.3 %', '8 %', '87 %')
    """
    return f"{100 * share:.{1 if share < 0.0495 else 0}f}".removesuffix(".0") + " %"


def count(n: int, noun: str) -> str:
    """A number and its noun.

    >>> count(1, "track"), count(12000, "track")
    ('1 track', '12,000 tracks')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
