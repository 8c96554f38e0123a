"""Entry point of the flow `index`: `python -m flows.index CONFIG`."""

from audioae.flows.launch import main

if __name__ == "__main__":
    main("index")  # imports the flow once the config has been checked
else:
    from audioae.flows.index import index

    __all__ = ["index"]
