"""What a catalog of any size will cost: measured on a sample of the user's own files, then extrapolated."""
