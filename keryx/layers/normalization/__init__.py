"""Normalization: of batches, of features, of kernels."""
