"""The ``diffusion`` stylizer: Stable Diffusion and other diffusers pipelines."""
