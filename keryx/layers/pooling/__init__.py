"""Pooling: over windows, over all positions, to a size that is asked for."""
