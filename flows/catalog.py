"""Entry point of the flow `catalog`: `python -m flows.catalog CONFIG`."""

from audioae.flows.launch import main

if __name__ == "__main__":
    main("catalog")  # imports the flow once the config has been checked
else:
    from audioae.flows.catalog import catalog

    __all__ = ["catalog"]
