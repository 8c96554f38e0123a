"""The shape that Qdrant's clients speak, read only: the catalog is one collection, an indexed track is one point."""
