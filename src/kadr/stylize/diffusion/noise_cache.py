"""Found noise into files, and out of them again, so that it is looked for once for each frame.

Finding noise costs more than sampling from it, and depends on neither seed nor new prompt.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kadr.core.frames import Image
from kadr.files import atomic_file


class NoiseCache:
    """A folder of found noise.

    facts: all that decides what is found beside the picture, as text: model, its additions and
    precision, original prompts, the whole inversion and the noise levels.
    """

    def __init__(self, folder: Path, facts: str) -> None:
        self._folder, self._facts = folder, facts

    def get(self, picture: Image) -> Tensor | None:
        """(4, h, w) float32 found for this picture; None: not looked for yet, or damaged."""
        with contextlib.suppress(OSError, ValueError, EOFError):
            noise = np.load(self._path(picture), allow_pickle=False)
            if noise.ndim == 3 and noise.dtype == np.float32 and np.isfinite(noise).all():
                return torch.from_numpy(noise)
        return None

    def put(self, picture: Image, noise: Tensor) -> None:
        """Keep (4, h, w) noise for this picture. Raises OutputError if it cannot be written."""
        with atomic_file(self._path(picture)) as temporary, temporary.open("wb") as file:
            np.save(file, noise.detach().to("cpu", torch.float32).numpy())

    def _path(self, picture: Image) -> Path:
        digest = hashlib.sha256(f"{self._facts}\0{picture.shape}\0".encode())
        digest.update(np.ascontiguousarray(picture).tobytes())
        return self._folder / f"{digest.hexdigest()[:32]}.npy"
