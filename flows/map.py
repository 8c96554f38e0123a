"""Entry point of the flow `map`: `python -m flows.map CONFIG`."""

from audioae.flows.launch import main

if __name__ == "__main__":
    main("map")  # imports the flow once the config has been checked
else:
    from audioae.flows.map import map

    __all__ = ["map"]
