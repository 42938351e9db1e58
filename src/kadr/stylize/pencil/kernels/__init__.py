"""Numba kernels of the ``pencil`` stylizer."""
