"""A key with its style and the frames of a pass in, those frames styled out, one by one.

Each frame is made of two things. Where the transport is *sure* (the key frame, pulled through it,
looks as the frame does) the style is pulled through it too, sampled between pixels: no blur, no
tremble. Everywhere else the frame is synthesized from patches of the style, guided by colour,
edges, position and the previous output, started from motion. Both soften the finest strokes; the
contrast that the key has there is given back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken
from kadr.core.frames import Frame
from kadr.core.seeds import derive_seed
from kadr.core.warp import Field, sample, warp
from kadr.guides.channels import edge_guide, position_guide
from kadr.guides.confidence import similarity, smoothstep
from kadr.guides.contrast import local_contrast, restore_contrast
from kadr.guides.flow import FlowPair, gray
from kadr.guides.transport import carry, identity, register, stretch
from kadr.options import PropagateOptions
from kadr.propagate.state import STATE_INTERVAL, PassState, rounded
from kadr.synth import PreparedSources, StyleSource, prepare
from kadr.synth.types import GuideImage

_SURE = 0.97
"""Trust above which a pixel is not synthesized at all."""
_AGREES = (0.83, 0.96)
"""Similarity of key and frame from which the transport is trusted somewhat, and wholly."""
_TEARS = (1.5, 2.2)
"""Stretch from which a style pulled through the transport smears somewhat, and wholly."""
_DOUBT = 130.0
"""What no trust at all adds to an error of 0–255: a guess, however like, is worse than a key."""
_SOFTENED = 1.35
"""How far to restore the finest contrast of voted pixels; those pulled through lost less."""


@dataclass(frozen=True, eq=False)
class PassFrame:
    """One frame of one pass.

    image: (H, W, C) uint8. error: (H, W) uint8, how badly the key explains the frame here,
    0 for fully, 255 for not at all. flow: motion to the pass's previous frame.
    """

    index: int
    image: NDArray[np.uint8]
    error: NDArray[np.uint8]
    flow: FlowPair


class KeyStyle:
    """A key frame with its style, packed once for both of its passes."""

    def __init__(
        self,
        frame: Frame,
        style: NDArray[np.uint8],
        options: PropagateOptions,
        *,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.index, self.style, self.options, self.seed = frame.index, style, options, seed
        self.image: NDArray[np.uint8] = frame.rgb
        self.gray = gray(self.image)
        self.size = self.gray.shape
        self.contrast = local_contrast(style)
        whole = identity(*self.size)
        guides: list[GuideImage] = [
            self.image,
            edge_guide(self.image),
            position_guide(whole, self.size),
            style,
        ]
        weights = [options.video_weight, options.edge_weight, options.mapping, options.deflicker]
        self.prepared: PreparedSources = prepare(
            [StyleSource(style, guides)],
            weights,
            options=options.synth_options(max(self.size), seed),
            style_weight=options.key_weight,
            threads=threads,
        )

    def state(self) -> PassState:
        """Where a pass begins: on the key's own frame, which is the style itself."""
        whole = identity(*self.size)
        return PassState(self.index, self.style, whole, whole, np.ones(self.size, np.float32))


def propagate(
    key: KeyStyle,
    steps: Iterator[tuple[Frame, FlowPair]],
    state: PassState | None = None,
    cancel: CancelToken | None = None,
) -> Iterator[tuple[PassFrame, PassState]]:
    """Style the frames of ``steps`` in order, each a neighbour of the one before.

    steps: (frame, flow from it to the frame before); the first is the neighbour of ``state``'s
    frame, or of the key's. A pass restarted from any state it yielded gives the same bytes. Every
    ``STATE_INTERVAL`` frames from the key the state is rounded, so that it can be stored small.
    """
    state = state or key.state()
    for frame, flow in steps:
        if cancel is not None:
            cancel.check()
        result, state = _step(key, state, frame, flow)
        if (frame.index - key.index) % STATE_INTERVAL == 0:
            state = rounded(state)
        yield result, state


def _step(
    key: KeyStyle, state: PassState, frame: Frame, flow: FlowPair
) -> tuple[PassFrame, PassState]:
    image = frame.rgb
    transport = register(carry(state.transport, flow), key.gray, gray(image))
    trust = _trust(key, transport, image, warp(state.trust, flow.to_neighbour))
    direct = sample(key.style, transport, interpolation=cv2.INTER_CUBIC)
    output, matches = direct, transport
    unsure = trust < _SURE
    if unsure.any():
        output, matches = _synthesize(
            key, state, frame.index, image, flow, transport, trust, direct
        )
    share = _SOFTENED - (_SOFTENED - 1) * trust
    output = restore_contrast(output, sample(key.contrast, matches), share)
    claim = sample(key.image, matches)
    error = np.clip((1 - similarity(claim, image)) * 200 + (1 - trust) * _DOUBT, 0, 255)
    made = PassFrame(frame.index, output, error.astype(np.uint8), flow)
    return made, PassState(frame.index, output, transport, matches, trust)


def _trust(
    key: KeyStyle, transport: Field, image: NDArray[np.uint8], before: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Where pulling the style through the transport is safe, (H, W) float32 0–1, smooth."""
    agree = similarity(sample(key.image, transport), image)
    evidence = smoothstep(agree, *_AGREES)
    evidence *= 1 - smoothstep(stretch(transport), *_TEARS)
    evidence = np.minimum(evidence, cv2.erode(evidence, np.ones((5, 5), np.uint8)))
    steady = np.float32(0.5) * (before + evidence)  # sure slowly, so that it does not flip
    smooth: NDArray[np.float32] = cv2.blur(np.minimum(steady, evidence + np.float32(0.25)), (7, 7))
    return smooth


def _synthesize(
    key: KeyStyle,
    state: PassState,
    index: int,
    image: NDArray[np.uint8],
    flow: FlowPair,
    transport: Field,
    trust: NDArray[np.float32],
    direct: NDArray[np.uint8],
) -> tuple[NDArray[np.uint8], Field]:
    """The frame with its unsure part synthesized, and where each pixel was taken from."""
    previous = warp(state.output, flow.to_neighbour)
    carried = warp(state.matches, flow.to_neighbour, interpolation=cv2.INTER_NEAREST)
    sure = trust > 0.5
    start = np.where(sure[..., None], transport, carried)
    seen = cv2.blur((~flow.occlusion).astype(np.float32), (5, 5))
    guides: list[GuideImage] = [
        image,
        edge_guide(image),
        position_guide(start, key.size),
        previous,
    ]
    modulation = np.ones((*trust.shape, len(guides)), np.float32)
    modulation[..., 2] = 0.1 + 0.9 * trust
    modulation[..., 3] = seen
    made = key.prepared.synthesize(
        guides,
        start_nnf=start,
        modulation=modulation,
        mask=trust < _SURE,
        seed=derive_seed(key.seed, "frame", index),
    )
    weight = np.where(trust < _SURE, trust, np.float32(1))[..., None]
    mixed = made.image + weight * (direct.astype(np.float32) - made.image)
    matches = np.where((trust < 0.5)[..., None], made.nnf.astype(np.float32), transport)
    return np.rint(mixed).astype(np.uint8), matches
