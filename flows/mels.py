"""Entry point of the flow `mels`: `python -m flows.mels CONFIG`."""

from audioae.flows.launch import main

if __name__ == "__main__":
    main("mels")  # imports the flow once the config has been checked
else:
    from audioae.flows.mels import mels

    __all__ = ["mels"]
