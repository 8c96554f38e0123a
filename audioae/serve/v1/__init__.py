"""The service's own API: one module per job, all paths below /v1."""
