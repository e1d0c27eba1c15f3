"""Sequences as arrays."""

from keryx.utils.arrays import pad_sequences as pad_sequences
