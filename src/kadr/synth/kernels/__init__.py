"""Numba kernels of guided synthesis: NumPy arrays in and out."""
