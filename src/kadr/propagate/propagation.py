"""Propagate the style of a key over the frames of one pass, frame by frame.

Each frame has two parts. Where the confidence in the transport is high (the key frame warped by it
looks like the frame), the style is warped by it too, sampled between pixels: no blur, no flicker.
Everywhere else the frame is synthesized from patches of the style, guided by colour, edges,
position and the previous output, and started from the motion. Both soften the finest strokes, so
the contrast of the key is restored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kadr.core.events import CancelToken
from kadr.core.frames import Frame
from kadr.core.seeds import derive_seed
from kadr.core.stage_times import stage
from kadr.core.warp import Field, sample
from kadr.guides.channels import edge_guide, position_guide
from kadr.guides.confidence import similarity, smoothstep
from kadr.guides.contrast import local_contrast, restoration_strength, restore_contrast
from kadr.guides.flow import FlowPair, gray
from kadr.guides.mix import mix_images, pass_error, select_positions
from kadr.guides.transport import compose, identity, local_stretch, register
from kadr.options import PropagateOptions
from kadr.propagate.figure import FollowedFrame, PaintedFigure, continue_error
from kadr.propagate.state import STATE_INTERVAL, PassState, round_state
from kadr.propagate.user_guides import GuideFrame, UserGuides, modulations
from kadr.synth import PreparedSources, StyleSource, prepare
from kadr.synth.types import GuideImage

_CONFIDENT = 0.97
"""Confidence above which a pixel is not synthesized."""
_WINDOW, _NOISE = 5, 9.0
"""Window in pixels, and noise in 8-bit levels, of the similarity that decides it: teeth or an
eyelid are a few pixels high, and a larger window hides them among what has not changed. Noise
counts more in a small one, so only stronger contrast is compared."""
_SIMILARITY_RANGE = (0.83, 0.96)
"""Similarity of key and frame at which the confidence rises from 0 and reaches 1."""
_STRETCH_RANGE = (1.5, 2.2)
"""Stretch at which the confidence falls from 1 and reaches 0: a warped style would smear."""
_FOLLOWED = 0.65
"""How much the previous output counts at confidence 0."""
_DIFFERENCE_ERROR = 200.0
"""Error (0–255) at similarity 0."""
_UNCERTAINTY_ERROR = 130.0
"""Error (0–255) added at confidence 0: a guess, even if similar, is worse than a key."""

Register = Callable[[Field, NDArray[np.uint8]], Field]
"""(transport (H, W, 2), the gray frame (H, W)) → the corrected transport."""


@dataclass(frozen=True, eq=False)
class PassFrame:
    """One frame of one pass.

    image: (H, W, C) uint8. matches: (H, W, 2) float32, the key position of each pixel: of the best
    patch where it was synthesized, else where the transport leads. error: (H, W) uint8, how badly
    the key explains the frame at a pixel: 0 fully, 255 not at all. flow: optical flow to the
    previous frame of the pass. visible: (H, W) float32, 0–1, by which the alpha of the key counts;
    None: everywhere.
    """

    index: int
    image: NDArray[np.uint8]
    matches: Field
    error: NDArray[np.uint8]
    flow: FlowPair
    visible: NDArray[np.float32] | None = None


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
        alpha: NDArray[np.uint8] | None = None,
        sources: NDArray[np.bool_] | None = None,
        needed: Callable[[int], NDArray[np.bool_] | None] | None = None,
        register: Register | None = None,
        frame_side: int | None = None,
        figure: PaintedFigure | None = None,
        guides: UserGuides | None = None,
    ) -> None:
        """style: (H, W, C) uint8 of the frame's size; its colours go on where alpha is 0.

        alpha: (H, W) uint8 of the style: what is transparent is neither synthesized nor a source.
        sources: (H, W) bool, where patches may be taken from besides. needed: by frame index,
        (H, W) bool what of the frame is needed; the rest is not synthesized and has no error.
        register: corrects the transport (H, W, 2) to a gray frame (H, W); None: on these frames.
        frame_side: longest side of whole frames, of which ``frame`` is a window; None: its own.
        figure: what is painted beside it moves with it. guides: the user's, of the same size.
        """
        self._alpha, self._needed, self.figure, self.guides = alpha, needed, figure, guides
        if figure is not None:  # what lies beside it looks like the background of the film
            sources = figure.silhouette if sources is None else sources & figure.silhouette
        if alpha is not None:
            sources = alpha > 0 if sources is None else sources & (alpha > 0)
        if sources is not None and not sources.any():
            sources = None
        self.index, self.style, self.options, self.seed = frame.index, style, options, seed
        self.image: NDArray[np.uint8] = frame.rgb
        self.gray = gray(self.image)
        self.size = self.gray.shape
        self.frame_side = frame_side or max(self.size)
        self.contrast = local_contrast(style)
        self.register: Register = register or self._register
        positions = identity(*self.size)
        images: list[GuideImage] = [
            self.image,
            edge_guide(self.image),
            position_guide(positions, self.frame_side),
            style,
        ]
        weights = [options.video_weight, options.edge_weight, options.mapping, options.deflicker]
        if guides is not None:
            images += [guide.image for guide in guides.key]
            weights += guides.weights
        channels = 0 if guides is None else guides.channels
        self.prepared: PreparedSources = prepare(
            [StyleSource(style, images, sources)],
            weights,
            options=options.synth_options(self.frame_side, seed, channels),
            style_weight=options.key_weight,
            threads=threads,
        )

    def needed(self, index: int, transport: Field) -> NDArray[np.bool_] | None:
        """(H, W) bool, what of a frame is needed; None: all of it."""
        needed = None if self._needed is None else self._needed(index)
        if self._alpha is None:
            return needed
        visible = sample(self._alpha, transport) > 0
        return visible if needed is None else needed & visible

    def state(self) -> PassState:
        """The state at which a pass starts: on the key frame, whose output is the style itself."""
        positions = identity(*self.size)
        return PassState(
            self.index, self.style, positions, positions, np.ones(self.size, np.float32)
        )

    def _register(self, transport: Field, frame_gray: NDArray[np.uint8]) -> Field:
        return register(transport, self.gray, frame_gray)


def propagate(
    key: KeyStyle,
    steps: Iterator[tuple[Frame, FlowPair]],
    state: PassState | None = None,
    cancel: CancelToken | None = None,
) -> Iterator[tuple[PassFrame, PassState]]:
    """Style the frames of ``steps`` in order; each one is the neighbour of the previous one.

    steps: (frame, flow from it to the previous frame); the first is the neighbour of the frame of
    ``state``, or of the key. A pass resumed from any state that it yielded gives the same bytes.
    Every ``STATE_INTERVAL`` frames from the key the state is rounded, so that it is small to store.
    """
    state = state or key.state()
    for frame, flow in steps:
        if cancel is not None:
            cancel.check()
        result, state = _step(key, state, frame, flow)
        if (frame.index - key.index) % STATE_INTERVAL == 0:
            with stage("store"):
                state = round_state(state)
        yield result, state


def _step(
    key: KeyStyle, state: PassState, frame: Frame, flow: FlowPair
) -> tuple[PassFrame, PassState]:
    image = frame.rgb
    with stage("registration"):
        transport = key.register(compose(state.transport, flow), gray(image))
    followed: FollowedFrame | None = None
    if key.figure is not None:
        with stage("figure"):
            followed = key.figure.follow(frame.index, transport, _evidence(key, transport, image))
            transport = followed.transport
    inside = None if followed is None else followed.inside
    guides = () if key.guides is None else key.guides.read(frame.index)
    with stage("confidence"):
        agreement = None if key.guides is None else key.guides.agreement(transport, guides)
        previous = sample(state.confidence, flow.positions)
        confidence = _estimate_confidence(key, transport, image, previous, inside, agreement)
        if followed is not None:  # paint hides what is filmed there
            confidence = np.maximum(confidence, followed.beside)
    with stage("warp"):
        warped_style = sample(key.style, transport, interpolation=cv2.INTER_CUBIC)
    output, matches, all_matches = warped_style, transport, transport
    needed, sure = key.needed(frame.index, transport), confidence
    if needed is not None:
        sure = np.where(needed, confidence, np.float32(1))  # nothing is synthesized for the rest
    if (sure < _CONFIDENT).any():
        with stage("synthesis"):
            output, all_matches = _synthesize(
                key, state, frame.index, image, flow, transport, sure, warped_style, guides
            )
            matches = select_positions(all_matches, transport, sure, 0.5)
    with stage("contrast"):
        output = restore_contrast(
            output, sample(key.contrast, matches), restoration_strength(confidence)
        )
    with stage("error"):
        warped_key = _inside(sample(key.image, matches), image, inside)
        error = pass_error(
            similarity(warped_key, image), confidence, _DIFFERENCE_ERROR, _UNCERTAINTY_ERROR
        )
        if inside is not None:
            error = continue_error(error, inside)
        if needed is not None:
            error[~needed] = 0
    visible = None if followed is None else followed.visible
    pass_frame = PassFrame(frame.index, output, all_matches, error, flow, visible)
    return pass_frame, PassState(frame.index, output, transport, matches, confidence)


def _estimate_confidence(
    key: KeyStyle,
    transport: Field,
    image: NDArray[np.uint8],
    previous: NDArray[np.float32],
    inside: NDArray[np.bool_] | None = None,
    agreement: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Where warping the style by the transport is safe, (H, W) float32 0–1, smooth.

    inside: (H, W) bool, the figure that the paint belongs to: beside it nothing in the film can
    confirm or refute the transport, and the confidence is 1. agreement: (H, W) float32 0–1, of the
    user's guides.
    """
    evidence = _evidence(key, transport, image, inside)
    if agreement is not None:
        evidence *= agreement
    evidence *= 1 - smoothstep(local_stretch(transport), *_STRETCH_RANGE)
    if inside is not None:
        evidence[~inside] = 1
    evidence = np.minimum(evidence, cv2.erode(evidence, np.ones((5, 5), np.uint8)))
    smoothed = np.float32(0.5) * (previous + evidence)  # rises slowly, so that it does not flicker
    blurred: NDArray[np.float32] = cv2.blur(
        np.minimum(smoothed, evidence + np.float32(0.25)), (7, 7)
    )
    if inside is not None:
        blurred[~inside] = 1
    return blurred


def _evidence(
    key: KeyStyle,
    transport: Field,
    image: NDArray[np.uint8],
    inside: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Where the key, warped by the transport, looks like the frame, (H, W) float32 0–1."""
    warped = _inside(sample(key.image, transport), image, inside)
    return smoothstep(similarity(warped, image, _WINDOW, _NOISE), *_SIMILARITY_RANGE)


def _inside(
    warped: NDArray[np.uint8], image: NDArray[np.uint8], inside: NDArray[np.bool_] | None
) -> NDArray[np.uint8]:
    """The warped key inside the figure, the frame itself elsewhere: windows compare the figure."""
    return warped if inside is None else np.where(inside[..., None], warped, image)


def _synthesize(
    key: KeyStyle,
    state: PassState,
    index: int,
    image: NDArray[np.uint8],
    flow: FlowPair,
    transport: Field,
    confidence: NDArray[np.float32],
    warped_style: NDArray[np.uint8],
    user_guides: Sequence[GuideFrame] = (),
) -> tuple[NDArray[np.uint8], Field]:
    """The frame, synthesized where confidence is low, and the key position of each pixel there.

    Elsewhere it is the transport.
    """
    previous = sample(state.output, flow.positions)
    warped_matches = sample(state.matches, flow.positions, interpolation=cv2.INTER_NEAREST)
    start = select_positions(warped_matches, transport, confidence, 0.5)
    guides: list[GuideImage] = [
        image,
        edge_guide(image),
        position_guide(start, key.frame_side),
        previous,
        *(guide.image for guide in user_guides),
    ]
    synthesis = key.prepared.synthesize(
        guides,
        start_nnf=start,
        modulation=_modulation(confidence, flow.occlusion, user_guides),
        mask=confidence < _CONFIDENT,
        seed=derive_seed(key.seed, "frame", index),
        measure=False,
    )
    mixed = mix_images(synthesis.image, warped_style, confidence, _CONFIDENT)
    return mixed, select_positions(synthesis.nnf, transport, confidence, _CONFIDENT)


def _modulation(
    confidence: NDArray[np.float32],
    occlusion: NDArray[np.bool_],
    user_guides: Sequence[GuideFrame],
) -> NDArray[np.uint8]:
    """(H, W, guides) uint8, how much each guide counts: positions only where the transport is
    right, the previous output only where it shows what the frame shows, the user's as they say.
    """
    full = np.full(confidence.shape, 255, np.uint8)
    positions = cv2.convertScaleAbs(confidence, alpha=255 * 0.9, beta=255 * 0.1)
    visible = cv2.blur(np.where(occlusion, np.uint8(0), np.uint8(255)), (5, 5))
    # what moves by itself, such as a mouth, has to leave the previous output
    followed = cv2.convertScaleAbs(confidence, alpha=255 * (1 - _FOLLOWED), beta=255 * _FOLLOWED)
    visible = cv2.multiply(visible, followed, scale=1 / 255)
    own = modulations(user_guides, (confidence.shape[0], confidence.shape[1]))
    modulation: NDArray[np.uint8] = cv2.merge([full, full, positions, visible, *own])
    return modulation
