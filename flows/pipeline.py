"""Entry point of the flow `pipeline`: `python -m flows.pipeline CONFIG`."""

from audioae.flows.launch import main

if __name__ == "__main__":
    main("pipeline")  # imports the flow once the config has been checked
else:
    from audioae.flows.pipeline import pipeline

    __all__ = ["pipeline"]
