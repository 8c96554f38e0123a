"""`python -m audioae.cli` is `audioae`."""

from audioae.cli import main

main()
