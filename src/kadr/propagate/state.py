"""Pack the state of a pass into small arrays and unpack it, so that a pass can resume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kadr.core.packed_positions import pack_positions, position_scale, unpack_positions
from kadr.core.warp import Field

STATE_INTERVAL = 16
"""Number of frames between states that can be stored, counted from the key."""


@dataclass(frozen=True, eq=False)
class PassState:
    """Everything that the next frame of a pass needs; arrays only, so that it can be stored.

    index: the last finished frame. output: (H, W, C) uint8. transport: (H, W, 2) float32 key
    positions. matches: (H, W, 2) float32, the key position that each pixel was taken from.
    confidence: (H, W) float32, 0–1.
    """

    index: int
    output: NDArray[np.uint8]
    transport: Field
    matches: Field
    confidence: NDArray[np.float32]


def pack_state(state: PassState) -> dict[str, NDArray[Any]]:
    """A state as two (2H, W) uint16 arrays, one (H, W) uint8 and the output.

    Positions are rounded to a fraction of a pixel: 1/68 at 960 pixels a side, 1/17 at 3840.
    """
    scale = position_scale(state.confidence.shape)
    return {
        "transport": pack_positions(state.transport, scale),
        "matches": pack_positions(state.matches, scale),
        "confidence": np.rint(state.confidence * 255).astype(np.uint8),
        "output": state.output,
    }


def unpack_state(arrays: Mapping[str, NDArray[Any]], index: int) -> PassState:
    """The state of frame ``index`` from the arrays of ``pack_state``.

    Packing the result again gives the same arrays. Raises ValueError if the arrays are not those of
    one state.
    """
    output = arrays.get("output")
    if output is None:
        raise ValueError(f"frame {index}: not the state of a pass")
    height, width = output.shape[:2]
    shapes = {
        "transport": (2 * height, width), "matches": (2 * height, width),
        "confidence": (height, width),
    }  # fmt: skip
    confidence = arrays.get("confidence")
    if (
        any(name not in arrays or arrays[name].shape != shape for name, shape in shapes.items())
        or confidence is None
        or confidence.dtype != np.uint8
    ):
        raise ValueError(f"frame {index}: not the state of a pass of {width}×{height} pixels")
    scale = position_scale(confidence.shape)
    return PassState(
        index,
        output,
        unpack_positions(arrays["transport"], scale),
        unpack_positions(arrays["matches"], scale),
        confidence.astype(np.float32) / np.float32(255),
    )


def round_state(state: PassState) -> PassState:
    """The state as it would be after storing it: a pass continues from this, stored or not."""
    return unpack_state(pack_state(state), state.index)
