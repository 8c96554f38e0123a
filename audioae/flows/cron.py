"""When a cron schedule fires, by the code that Prefect's scheduler uses."""

import asyncio
from datetime import datetime

from audioae.errors import ConfigError


def next_runs(cron: str, timezone: str, n: int = 1) -> list[datetime]:
    """The next `n` times at which `cron` fires, in its time zone.

    Raises
    ------
    ConfigError
        If it is no cron string, the time zone does not exist, or it never fires.

    Examples
    --------
    >>> [time.strftime("%H:%M %Z") for time in next_runs("0 3 * * *", "Europe/Berlin")][0][:5]
    '03:00'
    """
    from prefect.server.schemas.schedules import CronSchedule
    from pydantic import ValidationError

    try:
        times = asyncio.run(CronSchedule(cron=cron, timezone=timezone).get_dates(n))
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        wanted = "an IANA name such as Europe/Berlin" if "timezone" in message else 'five fields such as "0 3 * * *"'
        option = "--timezone" if "timezone" in message else "--cron"
        raise ConfigError(f"{option}: {message.partition(' (')[0]}; wanted {wanted}") from None
    except (ValueError, ArithmeticError) as error:  # as of February 30
        raise ConfigError(f"--cron {cron!r} never fires ({error}); wanted a date that exists") from None
    if len(times) < n:
        raise ConfigError(f"--cron {cron!r} never fires; wanted a date that exists")
    return list(times)
