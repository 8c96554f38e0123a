"""The autoencoder: blocks, heads, bottlenecks, loss terms and the training loop. It knows nothing of the store."""
