"""What the store holds of a pass frame and of a stylized key: pack, unpack and read it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.composite import extend_colours
from kadr.core.stage_times import stage
from kadr.core.warp import sample
from kadr.errors import ResumeError
from kadr.finish import FrameFields, KeyFinisher
from kadr.finish.finish import enlarge_positions
from kadr.propagate import PassFrame
from kadr.render.key_pass import KeyPass
from kadr.storage.store import Store

_SMALL_SIDE = 240
"""Errors and flow are stored at this longest side or up to twice it: blending needs no more."""
_MOST_FINISHERS = 4
"""Keys whose styles are held at a time: hardly ever are more blended in one frame."""
_PICTURE = ("image", "positions", "matches", "sure", "visible")
"""The arrays of a pass frame that its picture is made from."""
_FLOW_UNITS = np.float32(64)
_FLOW_ZERO = np.float32(32768)


def image_digest(image: NDArray[np.uint8]) -> str:
    """A hash of an image's shape and pixels."""
    digest = hashlib.sha256(str(image.shape).encode())
    digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()[:32]


def load_style(store: Store, entry: str, channels: int) -> NDArray[np.uint8]:
    """A stylized key, (H, W, channels) uint8; opaque alpha is added if only another key has it.

    Raises ResumeError if the entry is damaged or missing; a damaged one is removed.
    """
    arrays = store.get(entry)
    if arrays is None or "image" not in arrays:
        store.discard(entry)
        raise ResumeError(f"{entry}: the stylized key is damaged or gone; it has to be made again")
    image: NDArray[np.uint8] = arrays["image"]
    if image.shape[2] < channels:
        image = np.concatenate([image, np.full_like(image[..., :1], 255)], axis=2)
    return image


def pack_pass_frame(
    frame: PassFrame, fields: FrameFields | None, direction: int
) -> dict[str, NDArray[Any]]:
    """The arrays to store of a pass frame: its picture, and at a small size "error" and "flow".

    The picture is "image", or the arrays of ``fields`` of the work size, from which the frame is
    finished at full size, with "visible" if its alpha does not count everywhere. The flow leads
    from the later of two frames to the earlier one, in 1/64 of a reduced pixel.
    """
    flow = frame.flow.to_neighbour if direction > 0 else frame.flow.from_neighbour
    size = small_size(frame.error.shape)
    error = cv2.resize(frame.error, size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(flow, size, interpolation=cv2.INTER_AREA)
    small /= np.float32(frame.error.shape[1] / size[0])
    units = np.clip(np.rint(small * _FLOW_UNITS + _FLOW_ZERO), 0, 65535).astype(np.uint16)
    packed = np.concatenate([units[..., 0], units[..., 1]])
    picture = {"image": frame.image} if fields is None else fields.pack()
    if fields is not None and frame.visible is not None:
        picture["visible"] = np.rint(frame.visible * 255).astype(np.uint8)
    return {**picture, "error": error, "flow": packed}


def visible_alpha(alpha: NDArray[np.uint8], visible: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Alpha (H, W) uint8 where and as far as it counts, by ``visible`` (H, W), 0–1."""
    counted: NDArray[np.uint8] = np.rint(alpha * visible).astype(np.uint8)
    return counted


def small_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """(width, height) at which error and flow of frames of ``shape`` (H, W) are stored."""
    factor = max(1, max(shape[:2]) // _SMALL_SIDE)
    return max(1, round(shape[1] / factor)), max(1, round(shape[0] / factor))


def unpack_flow(packed: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The stored flow of a frame, (h, w, 2) float32, in reduced pixels."""
    height = packed.shape[0] // 2
    flow = np.stack([packed[:height], packed[height:]], axis=2).astype(np.float32)
    flow -= _FLOW_ZERO
    flow /= _FLOW_UNITS
    return flow


class PassImages:
    """Reads the pictures of stored pass frames, finished at full size."""

    def __init__(
        self, store: Store, style: Callable[[int], NDArray[np.uint8]], *, threads: int | None = None
    ) -> None:
        """style: the stylized key of a frame index, (H, W, C) uint8; asked for once a key."""
        self._store, self._style, self._threads = store, style, threads
        self._finishers: dict[int, _Finisher] = {}

    def read(self, key_pass: KeyPass, index: int) -> NDArray[np.uint8]:
        """The frame ``index`` of a pass, (H, W, C) uint8.

        Raises ResumeError if the entry is damaged or missing; a damaged one is removed.
        """
        entry = key_pass.frame_entry(index)
        with stage("read"):
            arrays = self._store.get(entry, only=_PICTURE)
        if arrays and "image" in arrays:
            return arrays["image"]
        try:
            fields = FrameFields.unpack(arrays or {})
        except (KeyError, ValueError) as error:
            self._store.discard(entry)
            raise _lost(entry) from error
        finisher = self._finisher(key_pass.key)
        with stage("finish"):
            return finisher.finish(fields, None if arrays is None else arrays.get("visible"))

    def _finisher(self, key: int) -> _Finisher:
        finisher = self._finishers.pop(key, None)
        if finisher is None:
            with stage("sources"):
                finisher = _Finisher(self._style(key), self._threads)
        self._finishers[key] = finisher  # the last used stays longest
        while len(self._finishers) > _MOST_FINISHERS:
            self._finishers.pop(next(iter(self._finishers)))
        return finisher


class _Finisher:
    """Finishes the frames of a key; alpha moves along their positions, beside the colours."""

    def __init__(self, style: NDArray[np.uint8], threads: int | None) -> None:
        self._alpha = np.ascontiguousarray(style[..., 3]) if style.shape[2] == 4 else None
        colours = style if self._alpha is None else extend_colours(style)
        self._finisher = KeyFinisher(colours, threads=threads)

    def finish(
        self, fields: FrameFields, visible: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """The frame of some fields, (H, W, 3 or 4) uint8. visible: (h, w), how far alpha counts."""
        colours = self._finisher.finish(fields)
        if self._alpha is None:
            return colours
        positions = enlarge_positions(fields.positions, (colours.shape[1], colours.shape[0]))
        alpha = sample(self._alpha, positions, interpolation=cv2.INTER_CUBIC)
        if visible is not None:
            size = alpha.shape[1], alpha.shape[0]
            enlarged = cv2.resize(visible, size, interpolation=cv2.INTER_LINEAR)
            alpha = visible_alpha(alpha, enlarged.astype(np.float32) / np.float32(255))
        return np.dstack([colours, alpha])


def read_pass_frame(store: Store, key_pass: KeyPass, index: int, name: str) -> NDArray[Any]:
    """The array ``name`` ("error" or "flow") of a stored pass frame.

    Raises ResumeError if the entry is damaged or missing; a damaged one is removed.
    """
    entry = key_pass.frame_entry(index)
    arrays = store.get(entry, only=(name,))
    if not arrays:
        store.discard(entry)
        raise _lost(entry)
    return arrays[name]


def _lost(entry: str) -> ResumeError:
    return ResumeError(f"{entry}: a work file is damaged or gone; it has to be made again")
