"""The checks of stage `screen`, one file each: from a library to an `apps.findings.Screened`.

Each module has a frozen `Config` of its own and one function:
`screen_<check>(library, config, workers, report) -> Screened`. What it decides with is pure, in `apps/<check>.py`.
"""
