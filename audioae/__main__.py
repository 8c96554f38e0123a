"""`python -m audioae` is `audioae`."""

from audioae.cli import main

main()
