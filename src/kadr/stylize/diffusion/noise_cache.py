"""Found noise into files, and out of them again, so that it is looked for once for each frame.

Finding noise costs more than sampling from it, and depends on neither seed nor new prompt.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kadr.core.frames import Image
from kadr.files import atomic_file
from kadr.stylize.diffusion.model.addons import split_weight
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.sampling.inversion import Inversion


class NoiseCache:
    """A folder of found noise.

    facts: all that decides what is found beside the picture, as text: model, its additions and
    precision, original prompts, the whole inversion and the noise levels.
    """

    def __init__(self, folder: Path, facts: str) -> None:
        self._folder, self._facts = folder, facts

    def get(self, *seen: Image | None) -> Tensor | None:
        """(4, h, w) float32 found for these; None: not looked for yet, or damaged.

        seen: the picture, its mask or None, and what steers ControlNets, in this order.
        """
        with contextlib.suppress(OSError, ValueError, EOFError):
            noise = np.load(self._path(seen), allow_pickle=False)
            if noise.ndim == 3 and noise.dtype == np.float32 and np.isfinite(noise).all():
                return torch.from_numpy(noise)
        return None

    def put(self, noise: Tensor, *seen: Image | None) -> None:
        """Keep (4, h, w) noise for what ``get`` is given. Raises OutputError if it cannot."""
        with atomic_file(self._path(seen)) as temporary, temporary.open("wb") as file:
            np.save(file, noise.detach().to("cpu", torch.float32).numpy())

    def _path(self, seen: Sequence[Image | None]) -> Path:
        digest = hashlib.sha256(self._facts.encode())
        for image in seen:
            digest.update(f"\0{None if image is None else image.shape}\0".encode())
            if image is not None:
                digest.update(np.ascontiguousarray(image).tobytes())
        return self._folder / f"{digest.hexdigest()[:32]}.npy"


def noise_facts(digest: str | None, options: DiffusionOptions, inversion: Inversion | None) -> str:
    """All that decides what noise is found, beside the picture, the precision and the size.

    digest: the short hash of the model's file, or None.
    """
    values: dict[str, Any] = {name: getattr(options, name) for name in _DECIDING}
    values |= {"digest": digest, "files": _stamps(options)}
    if not (options.original_prompt or options.original_negative_prompt):
        values |= {"prompt": options.prompt, "negative": options.negative_prompt}
    if inversion is not None:
        # how much of it is replaced afterwards does not change what is found
        values["inversion"] = replace(inversion, randomness=0.0)
    return repr(sorted(values.items()))


_DECIDING = (
    "model", "vae", "lora", "embedding", "controlnet", "control", "control_until", "clip_skip",
    "prediction", "original_prompt", "original_negative_prompt", "denoising_strength", "sampler",
    "steps", "exact_steps", "inpainting_mask_weight", "mask_blur", "inpaint_area", "mask_padding",
)  # fmt: skip


def _stamps(options: DiffusionOptions) -> list[list[tuple[str, int, int]]]:
    """What tells a file of the model or its additions from another of the same name."""
    paths = [Path(options.model).expanduser(), *options.embedding]
    paths += [split_weight(text)[0] for text in options.lora + options.controlnet]
    paths += [options.vae] if options.vae is not None else []
    return [stamp(path) for path in paths if path.exists()]


def stamp(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of a file, or of all in a folder: these change when its contents do."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    kept = [(file, file.stat()) for file in files if file.is_file()]
    return [(str(file), about.st_size, about.st_mtime_ns) for file, about in kept]
