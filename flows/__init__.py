"""Deployable entry points of the flows in audioae.flows, one a stage."""
