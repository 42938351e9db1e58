"""The ``diffusion`` stylizer: Stable Diffusion and other diffusers pipelines.

Sub-packages import in one direction only: ``sampling`` imports none of the others, ``prompt`` may
import ``sampling``, ``model`` may import both, ``temporal`` may import ``sampling``. All may import
``layout``, one level up. The modules of this folder, such as ``engine``, may import all of them.
"""
