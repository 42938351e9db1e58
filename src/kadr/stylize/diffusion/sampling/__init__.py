"""The img2img loop: noise, noise levels, samplers, guidance and inversion."""
