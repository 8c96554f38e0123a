"""Entry point of the flow `similar`: `python -m flows.similar CONFIG`."""

from audioae.flows.launch import main

if __name__ == "__main__":
    main("similar")  # imports the flow once the config has been checked
else:
    from audioae.flows.similar import similar

    __all__ = ["similar"]
