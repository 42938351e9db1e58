"""Pack the state of a pass into small arrays and unpack it, so that a pass can resume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    """A state as two (2H, W) uint16 arrays and one (H, W) uint8; the output is stored elsewhere.

    Positions are rounded to a fraction of a pixel: 1/68 at 960 pixels a side, 1/17 at 3840.
    """
    scale = _scale(state.confidence.shape)
    return {
        "transport": _pack(state.transport, scale),
        "matches": _pack(state.matches, scale),
        "confidence": np.rint(state.confidence * 255).astype(np.uint8),
    }


def unpack_state(
    arrays: Mapping[str, NDArray[Any]], index: int, output: NDArray[np.uint8]
) -> PassState:
    """The state of frame ``index`` from the arrays of ``pack_state`` and the frame itself.

    Packing the result again gives the same arrays. Raises ValueError if the arrays are not a state
    of the size of the output.
    """
    shape = output.shape[:2]
    confidence = arrays.get("confidence")
    if confidence is None or confidence.shape != shape or confidence.dtype != np.uint8:
        raise ValueError(f"frame {index}: not the state of a pass of {shape[1]}×{shape[0]} pixels")
    scale = _scale(shape)
    return PassState(
        index,
        output,
        _unpack(arrays["transport"], scale),
        _unpack(arrays["matches"], scale),
        confidence.astype(np.float32) / np.float32(255),
    )


def round_state(state: PassState) -> PassState:
    """The state as it would be after storing it: a pass continues from this, stored or not."""
    return unpack_state(pack_state(state), state.index, state.output)


def _scale(shape: tuple[int, ...]) -> int:
    return max(1, 65535 // max(shape))


def _pack(field: Field, scale: int) -> NDArray[np.uint16]:
    """(H, W, 2) as (2H, W): x above y, which image formats compress well."""
    scaled = np.rint(np.clip(field * np.float32(scale), 0, 65535)).astype(np.uint16)
    return np.concatenate([scaled[..., 0], scaled[..., 1]])


def _unpack(packed: NDArray[np.uint16], scale: int) -> Field:
    height = packed.shape[0] // 2
    field = np.stack([packed[:height], packed[height:]], axis=2).astype(np.float32)
    field /= np.float32(scale)
    return field
