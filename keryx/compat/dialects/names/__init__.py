"""What stood in which module of Keras 1 and 2."""
