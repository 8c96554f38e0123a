"""The autoencoder: blocks, heads, bottlenecks, terms, and the training loop. Tensors, no paths."""
