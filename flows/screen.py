"""Entry point of the flow `screen`: `python -m flows.screen CONFIG`."""

from audioae.flows.launch import main

if __name__ == "__main__":
    main("screen")  # imports the flow once the config has been checked
else:
    from audioae.flows.screen import screen

    __all__ = ["screen"]
