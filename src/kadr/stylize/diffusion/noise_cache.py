"""A cache on disk for the noise that inversion finds, so that each frame is inverted only once.

Inversion costs more than sampling, and depends on neither the seed nor the new prompt.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kadr.core.frames import Image
from kadr.files import Sync, atomic_file
from kadr.stylize.diffusion.model.location import split_path_and_weight
from kadr.stylize.diffusion.options import DiffusionOptions
from kadr.stylize.diffusion.sampling.inversion import Inversion

_CHECKSUM_BYTES = 32
"""Of the SHA-256 at the end of a file: work files do not wait for the disk."""


class NoiseCache:
    """A folder of noise found by inversion.

    settings: a text of everything beside the image that decides the noise: model, additions,
    precision, original prompts, all of the inversion and the noise levels.
    """

    def __init__(self, folder: Path, settings: str) -> None:
        self._folder, self._settings = folder, settings

    def get(self, *images: Image | None) -> Tensor | None:
        """(4, h, w) float32 stored for these images; None if it is missing or damaged.

        images: the frame, its mask or None, and the ControlNets' images, in this order.
        """
        with contextlib.suppress(OSError, ValueError, EOFError):
            content = self._path(images).read_bytes()
            body, checksum = content[:-_CHECKSUM_BYTES], content[-_CHECKSUM_BYTES:]
            if hashlib.sha256(body).digest() != checksum:
                return None
            noise = np.load(io.BytesIO(body), allow_pickle=False)
            if noise.ndim == 3 and noise.dtype == np.float32 and np.isfinite(noise).all():
                return torch.from_numpy(noise)
        return None

    def put(self, noise: Tensor, *images: Image | None) -> None:
        """Store (4, h, w) noise for the images as in ``get``. Raises OutputError if it cannot."""
        file = io.BytesIO()
        np.save(file, noise.detach().to("cpu", torch.float32).numpy())
        body = file.getvalue()
        with atomic_file(self._path(images), Sync.NOTHING) as temporary:
            temporary.write_bytes(body + hashlib.sha256(body).digest())

    def _path(self, images: Sequence[Image | None]) -> Path:
        digest = hashlib.sha256(self._settings.encode())
        for image in images:
            digest.update(f"\0{None if image is None else image.shape}\0".encode())
            if image is not None:
                digest.update(np.ascontiguousarray(image).tobytes())
        return self._folder / f"{digest.hexdigest()[:32]}.npy"


def describe_inversion(
    digest: str | None, options: DiffusionOptions, inversion: Inversion | None
) -> str:
    """Everything that decides the noise of an inversion, beside image, precision and size.

    digest: the short hash of the model's file, or None.
    """
    values: dict[str, Any] = {name: getattr(options, name) for name in _RELEVANT_OPTIONS}
    values |= {"digest": digest, "files": _model_file_stats(options)}
    values["prompt_loras"] = options.prompt_loras
    if inversion is not None:
        # randomness is applied after the inversion
        values["inversion"] = replace(inversion, randomness=0.0)
    return repr(sorted(values.items()))


_RELEVANT_OPTIONS = (
    "model", "vae", "lora", "embedding", "controlnet", "control", "control_until", "clip_skip",
    "prediction", "zero_terminal_snr", "original_prompt", "original_negative_prompt",
    "denoising_strength", "sampler", "steps", "exact_steps", "inpainting_mask_weight", "mask_blur",
    "inpaint_area", "mask_padding",
)  # fmt: skip


def _model_file_stats(options: DiffusionOptions) -> list[list[tuple[str, int, int]]]:
    """The file stats of the model and of all files that are added to it."""
    paths = [Path(options.model).expanduser(), *options.embedding]
    paths += [split_path_and_weight(text)[0] for text in options.lora + options.controlnet]
    paths += [lora.path for lora in options.prompt_loras]
    paths += [options.vae] if options.vae is not None else []
    return [collect_file_stats(path) for path in paths if path.exists()]


def collect_file_stats(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and modification time of a file or of all files in a folder.

    They tell a replaced file from the earlier one of the same name.
    """
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = [(file, file.stat()) for file in files if file.is_file()]
    return [(str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats]
