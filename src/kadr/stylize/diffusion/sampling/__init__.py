"""Noise, noise levels, samplers, guidance and inversion: the img2img loop."""
