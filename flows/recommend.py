"""Entry point of the flow `recommend`: `python -m flows.recommend CONFIG`."""

from audioae.flows.launch import main

if __name__ == "__main__":
    main("recommend")  # imports the flow once the config has been checked
else:
    from audioae.flows.recommend import recommend

    __all__ = ["recommend"]
