"""Training as it was: methods, losses, optimizers, callbacks, files."""
