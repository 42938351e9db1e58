"""Weights under their original names in, a diffusers network out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from kadr.errors import InputError
from kadr.stylize.diffusion.model.weights import Weights


def convert_network(
    kind: Any, weights: Weights, config: Mapping[str, Any], path: Path, dtype: torch.dtype
) -> Any:
    """Create a network of class ``kind`` with diffusers' conversion of names and our ``config``.

    Raises InputError, naming ``path``, if weights are missing or have other sizes.
    """
    with TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(dict(config)), encoding="utf-8")
        try:
            network = kind.from_single_file(
                dict(weights), config=folder, dtype=dtype, local_files_only=True
            )
        except NotImplementedError as error:
            # a missing weight has no data that could be moved
            raise InputError(
                f"{path}: lacks some weights of its {kind.__name__}; the file is incomplete"
            ) from error
        except (KeyError, ValueError, RuntimeError) as error:
            reason = str(error).strip().split("\n")[0]
            raise InputError(
                f"{path}: its weights do not fit {kind.__name__} ({reason}); give one of the same "
                "family, or a diffusers folder"
            ) from error
    return network.eval()
