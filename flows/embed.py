"""Entry point of the flow `embed`: `python -m flows.embed CONFIG`."""

from audioae.flows.launch import main

if __name__ == "__main__":
    main("embed")  # imports the flow once the config has been checked
else:
    from audioae.flows.embed import embed

    __all__ = ["embed"]
