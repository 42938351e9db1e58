"""A pass's state in, small arrays out, and back: what a pass needs to go on from where it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kadr.core.warp import Field

STATE_INTERVAL = 16
"""Frames from one state that can be stored to the next, counted from the key."""


@dataclass(frozen=True, eq=False)
class PassState:
    """All that the next frame of a pass needs; arrays only, so that it can be stored.

    index: the frame just made. output: (H, W, C) uint8. transport: (H, W, 2) float32 key
    positions. matches: (H, W, 2) float32, where each pixel was really taken from.
    trust: (H, W) float32, 0–1.
    """

    index: int
    output: NDArray[np.uint8]
    transport: Field
    matches: Field
    trust: NDArray[np.float32]


def pack_state(state: PassState) -> dict[str, NDArray[Any]]:
    """A state as two (2H, W) uint16 arrays and one (H, W) uint8; the output is kept elsewhere.

    Positions keep a whole fraction of a pixel: 1/68 at 960 pixels a side, 1/17 at 3840.
    """
    scale = _scale(state.trust.shape)
    return {
        "transport": _pack(state.transport, scale),
        "matches": _pack(state.matches, scale),
        "trust": np.rint(state.trust * 255).astype(np.uint8),
    }


def unpack_state(
    arrays: Mapping[str, NDArray[Any]], index: int, output: NDArray[np.uint8]
) -> PassState:
    """The state of frame ``index`` from what ``pack_state`` gave and the frame itself.

    Packing what this gives gives the same arrays again. Raises ValueError if the arrays are not
    those of a state of the output's size.
    """
    shape = output.shape[:2]
    trust = arrays.get("trust")
    if trust is None or trust.shape != shape or trust.dtype != np.uint8:
        raise ValueError(f"frame {index}: not the state of a pass of {shape[1]}×{shape[0]} pixels")
    scale = _scale(shape)
    return PassState(
        index,
        output,
        _unpack(arrays["transport"], scale),
        _unpack(arrays["matches"], scale),
        trust.astype(np.float32) / np.float32(255),
    )


def rounded(state: PassState) -> PassState:
    """The state as it would be after storing it: a pass goes on from this, stored or not."""
    return unpack_state(pack_state(state), state.index, state.output)


def _scale(shape: tuple[int, ...]) -> int:
    return max(1, 65535 // max(shape))


def _pack(field: Field, scale: int) -> NDArray[np.uint16]:
    """(H, W, 2) as (2H, W): x above y, which an image format takes and compresses well."""
    whole = np.rint(np.clip(field * np.float32(scale), 0, 65535)).astype(np.uint16)
    return np.concatenate([whole[..., 0], whole[..., 1]])


def _unpack(packed: NDArray[np.uint16], scale: int) -> Field:
    height = packed.shape[0] // 2
    field = np.stack([packed[:height], packed[height:]], axis=2).astype(np.float32)
    field /= np.float32(scale)
    return field
