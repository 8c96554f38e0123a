"""Entry point of the flow `train`: `python -m flows.train CONFIG`."""

from audioae.flows.launch import main

if __name__ == "__main__":
    main("train")  # imports the flow once the config has been checked
else:
    from audioae.flows.train import train

    __all__ = ["train"]
