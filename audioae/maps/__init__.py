"""The catalog as a map: places in two dimensions, and named regions."""
