"""Layers that are no more."""
