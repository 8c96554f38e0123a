"""A grid over the latent space of a two-dimensional VAE. Reading it loads no torch.

Source: Kingma and Welling 2014, "Auto-Encoding Variational Bayes", figure 4: equally spaced shares of the unit square
go through the inverse of the normal distribution's CDF, the prior of the latent.
"""

from statistics import NormalDist

import numpy as np

from audioae.constants import EMBEDDING_DIM

SHARES = (0.05, 0.95)  # of the standard normal distribution, at the edges of the grid


def grid_latents(n: int) -> np.ndarray:
    """The places of an n x n grid of a two-dimensional standard normal, (n * n, 128), float32, row by row.

    Both units go through equal shares of the distribution: unit 0 rises to the right, unit 1 rises to the top.

    >>> (100 * grid_latents(3)[[0, 8], :2]).astype(int).tolist()
    [[-164, 164], [164, -164]]
    """
    axis = [NormalDist().inv_cdf(float(share)) for share in np.linspace(*SHARES, n)]
    latents = np.zeros((n * n, EMBEDDING_DIM), np.float32)
    latents[:, 0], latents[:, 1] = np.tile(axis, n), np.repeat(axis[::-1], n)
    return latents
