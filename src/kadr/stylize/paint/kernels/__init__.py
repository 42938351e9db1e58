"""Numba kernels of the ``paint`` stylizer."""
