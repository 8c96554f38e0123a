"""What a plan may count on: workers, GPUs, and what an hour of them costs."""

from dataclasses import dataclass

# What one GPU of the class of an H100 is assumed to embed, clips per second, where none was measured. Training costs
# three times as much per clip: a backward pass is two forward passes.
ASSUMED_CLIPS_PER_S = 100_000.0
TRAINING = 3.0


@dataclass(frozen=True)
class Resources:
    """Workers (cores that decode, on any number of machines), GPUs, and prices per hour of one of each."""

    workers: int
    gpus: int = 0
    price_per_hour: float | None = None
    gpu_price_per_hour: float | None = None

    def cost(self, worker_s: float, gpu_s: float) -> float | None:
        """The price of some seconds of one worker and of one GPU; None without a price for what is used.

        >>> Resources(4, price_per_hour=0.05).cost(7200, 0), Resources(4).cost(7200, 0)
        (0.1, None)
        """
        prices = ((worker_s, self.price_per_hour), (gpu_s, self.gpu_price_per_hour))
        used = [(seconds, price) for seconds, price in prices if seconds]
        if any(price is None for _, price in used):
            return None
        return sum(seconds * price / 3600 for seconds, price in used if price is not None)
