"""How a picture is made: the options of synthesis and propagation, and the levels of detail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kadr.errors import OptionsError
from kadr.option_fields import PICTURE, check_fields, option


def _check_odd(patch_size: int) -> None:
    if patch_size % 2 == 0:
        raise OptionsError(f"patch-size {patch_size}: expected an odd number, 3 to 15")


@dataclass(frozen=True)
class SynthOptions:
    """How one frame is synthesized; names and defaults as people know them from ``ebsynth``."""

    patch_size: int = option(5, "side of the square patch in pixels, odd", low=3, high=15)
    vote_iterations: int = option(6, "search-and-vote rounds per level", low=1, high=100)
    search_iterations: int = option(4, "PatchMatch passes per round", low=1, high=100)
    levels: int | None = option(None, "pyramid levels", low=1, high=32, unset="as many as fit")
    uniformity: float = option(3500.0, "penalty for reusing a style patch", low=0, high=1e6)
    stop_threshold: float = option(
        5.0, "a pixel that changes less than this between rounds is not searched again",
        low=0, high=255,
    )  # fmt: skip
    weighted_vote: bool = option(False, "good matches have more weight in the vote")
    extra_pass_3x3: bool = option(
        False, "repeat the finest level with patch size 3 and without uniformity"
    )
    search_radius: int | None = option(
        None, "radius of the random search at the finest level in pixels", low=1,
        unset="the whole image",
    )  # fmt: skip
    search_threshold: float = option(
        0.0, "mean squared error per channel below which a match is not searched for", low=0
    )
    near_search_threshold: float = option(
        0.0, "mean squared error per channel below which only the pixels next to a match are "
        "searched", low=0,
    )  # fmt: skip
    full_search_threshold: float | None = option(
        None, "mean squared error per channel above which the whole style is searched", low=0,
        unset="never",
    )  # fmt: skip
    seed: int = option(1337, "same seed, same image", low=0)

    def __post_init__(self) -> None:
        check_fields(self)
        _check_odd(self.patch_size)


_FULL_SEARCH_ERROR = 18.0**2 / 12
"""Mean squared error per channel if the filmed colour is 18 levels off, over twelve channels: then
no good match is near."""
_NEAR_SEARCH_ERROR = 8.0**2 / 12
"""The same if it is at most 8 levels off: then the match that the motion gave is hardly off."""


def _picture(
    default: Any, help: str, *, low: float | None = None, high: float | None = None
) -> Any:
    return option(default, help, low=low, high=high, section="picture", group=PICTURE)


@dataclass(frozen=True)
class PropagateOptions:
    """How a style is carried from its key to the frames around it."""

    key_weight: float = _picture(
        1.0, "how closely the texture of the key is kept", low=0, high=1000
    )
    video_weight: float = _picture(
        32.0, "how closely the colours of the clip are followed", low=0, high=1000
    )
    edge_weight: float = _picture(
        1.0, "how closely the edges of the clip are followed", low=0, high=1000
    )
    mapping: float = _picture(
        2.0, "how firmly strokes stay on the surfaces they were painted on", low=0, high=1000
    )
    deflicker: float = _picture(
        3.0, "how closely a frame follows the previous frame", low=0, high=1000
    )
    diversity: float = _picture(3500.0, "penalty for reusing a patch of the key", low=0, high=1e6)
    patch_size: int = _picture(5, "side of the square patch in pixels, odd", low=3, high=15)
    vote_iterations: int = _picture(2, "search-and-vote rounds per frame", low=1, high=100)
    search_iterations: int = _picture(1, "PatchMatch passes per round", low=1, high=100)
    quick_flow: bool = _picture(
        False,
        "estimate optical flow between frames faster, a tenth of a pixel less exactly",
    )
    work_size: int = _picture(
        960, "longest side in pixels at which motion and matches are found; larger frames are "
        "finished at their own size", low=64, high=16384,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_fields(self)
        _check_odd(self.patch_size)

    def pass_side(self, longest_side: int) -> int:
        """The longest side at which a pass works on frames with this longest side.

        Frames up to a quarter larger than the work size stay as they are: finishing them at their
        own size would cost what reducing them saves.
        """
        return self.work_size if longest_side > 1.25 * self.work_size else longest_side

    def synth_options(self, longest_side: int, seed: int, guide_channels: int = 0) -> SynthOptions:
        """The options of the synthesis for one frame of a pass, which starts from optical flow.

        guide_channels: of the user's guides, beside the twelve that every pass has.
        """
        video_weight = self.video_weight * 12 / (12 + guide_channels)
        return SynthOptions(
            patch_size=self.patch_size,
            vote_iterations=self.vote_iterations,
            search_iterations=self.search_iterations,
            uniformity=self.diversity,
            search_radius=max(2, round(longest_side * 0.01)),
            near_search_threshold=video_weight * _NEAR_SEARCH_ERROR,
            full_search_threshold=video_weight * _FULL_SEARCH_ERROR,
            seed=seed,
        )


DETAIL: Mapping[str, PropagateOptions] = {
    "high": PropagateOptions(vote_iterations=3, search_iterations=2, work_size=1920),
    "medium": PropagateOptions(),
    "low": PropagateOptions(quick_flow=True, work_size=640),
    "draft": PropagateOptions(patch_size=3, vote_iterations=1, quick_flow=True, work_size=480),
}
"""Presets that trade time for quality, as EbSynth's Synthesis Detail does."""


def detail_options(detail: str, **changes: Any) -> PropagateOptions:
    """A detail preset with some of its values changed; None keeps the value of the preset."""
    if detail not in DETAIL:
        raise OptionsError(f"detail {detail!r}: expected one of {', '.join(DETAIL)}")
    values = {name: value for name, value in changes.items() if value is not None}
    return replace(DETAIL[detail], **values)
