"""Layers that prepare images, and change them at random in training."""
