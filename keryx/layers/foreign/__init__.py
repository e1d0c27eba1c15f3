"""Functions and modules of other libraries on JAX as layers."""
