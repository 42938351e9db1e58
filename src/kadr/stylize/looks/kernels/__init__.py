"""Numba kernels of the stylizers without a model."""
