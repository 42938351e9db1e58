"""Options of every step: frozen dataclasses, checked on creation.

``option_fields`` tells how their fields describe themselves. The options of a plug-in stand in the
plug-in's own file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from kadr.core.background import FILM, parse_background
from kadr.core.encodings import CODECS, DEPTHS
from kadr.core.formatting import shorten
from kadr.core.frames import FrameRange, Span
from kadr.core.locations import is_below_url, path_text, url_of
from kadr.core.output_size import parse_output_size
from kadr.errors import OptionsError
from kadr.option_fields import (
    GUIDES,
    KEYFRAMES,
    MASK,
    OUTPUT,
    PAINTED_KEYS,
    PICTURE,
    PLANNED_KEYS,
    RUN,
    check_fields,
    check_unused,
    option,
)

DEINTERLACE = ("auto", "on", "off")
"""Which frames are deinterlaced: those that are found to be interlaced, all, or none."""


def check_deinterlace(choice: str) -> None:
    """Raise OptionsError unless it is one of DEINTERLACE."""
    if choice not in DEINTERLACE:
        raise OptionsError(f"deinterlace {choice!r}: expected one of {', '.join(DEINTERLACE)}")


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


@dataclass(frozen=True)
class StylizerRange:
    """Other values of the stylizer's options in some frames: a range, or a shot.

    name: as the user gave it, such as "120:180" or "shot 2". options: field → value.
    frames: indices; None for a shot. shot: its number from 1 among the shots of ``shots_of``, or of
    the frames of the run; None for a range.
    """

    name: str
    options: Mapping[str, Any]
    frames: FrameRange | None = None
    shot: int | None = option(None, "the number of the shot, as kadr plan shows it", low=1)
    shots_of: FrameRange | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if (self.frames is None) == (self.shot is None):
            raise OptionsError(f"stylizer range {self.name}: give its frames or its shot")
        if not self.options:
            raise OptionsError(
                f"stylizer range {self.name}: sets nothing; give another prompt or seed"
            )


def check_overlaps(ranges: Sequence[tuple[str, FrameRange]]) -> None:
    """Raise OptionsError if two of these named ranges have a frame in common."""
    for (name, first), (other_name, second) in combinations(ranges, 2):
        if first.start < second.stop and second.start < first.stop:
            raise OptionsError(
                f"stylizer ranges {name} and {other_name}: have frames in common; a frame can "
                "have the values of one"
            )


_REFINE_STRENGTH = 0.3
GUIDE_WEIGHT = 16.0
"""Of a guide of the user without a weight: levels 11 to 25 apart begin to be told apart."""
_GUIDE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
INLINE, PROCESSES, RAY = "inline", "processes", "ray"
EXECUTORS = (INLINE, PROCESSES, RAY)
"""Where the tasks of a run are carried out."""


@dataclass(frozen=True)
class RunOptions:
    """One whole run: a clip, its keys or the stylizer that makes them, and the output."""

    clip: Path = option(
        MISSING, "a video, or a folder or pattern of images", section="clip", entry="path"
    )
    output: Path | str = option(
        MISSING, "a video file, or a folder or pattern of images", section="output", entry="path"
    )
    """Text keeps the slash that marks a folder."""
    keys: tuple[Path, ...] = option(
        (), "painted keyframes, named by frame number", section="keys",
        entry="folder",
    )  # fmt: skip
    stylizer: str = option(
        "external", "what makes the keys; external: they are painted already",
        section="stylizer", entry="name", group=KEYFRAMES,
    )  # fmt: skip
    stylizer_options: Mapping[str, Any] = field(default_factory=dict)
    stylizer_ranges: tuple[StylizerRange, ...] = ()
    """Other values in some frames; a key has those of its own frame."""
    keys_budget: int = option(
        10, "how many keyframes a stylizer makes", low=1, high=100000,
        section="keys", group=KEYFRAMES, needs=PLANNED_KEYS,
    )  # fmt: skip
    min_gap: int | None = option(
        None, "fewest frames from one planned key to the next", low=1, high=100000, unset="1",
        section="keys", group=KEYFRAMES, needs=PLANNED_KEYS,
    )  # fmt: skip
    max_gap: int | None = option(
        None, "most frames from one planned key to the next", low=1, high=100000, unset="any",
        section="keys", group=KEYFRAMES, needs=PLANNED_KEYS,
    )  # fmt: skip
    ignore_cuts: bool = option(
        False, "propagate keys across cuts too", section="keys", group=KEYFRAMES
    )
    every_frame: bool = option(
        False, "let the stylizer make all frames, or every n-th, instead of planned keyframes",
        section="keys", group=KEYFRAMES,
    )  # fmt: skip
    every: int = option(
        1, "make one frame of this many, at the speed of the clip; with every-frame: stylize these "
        "and propagate the others",
        low=1, high=1000, section="keys", group=KEYFRAMES,
    )  # fmt: skip
    steady: bool = option(
        False, "with every-frame: remove the flicker of the output, as kadr deflicker does",
        section="keys", group=KEYFRAMES,
    )  # fmt: skip
    match_keys: float | None = option(
        None, "how far the colours and broad strokes of keys are matched to those of the others on "
        "the same surfaces; 0: keys stay exact",
        low=0, high=1, unset="1 for keys that a stylizer makes and that differ, else 0",
        section="keys", group=KEYFRAMES,
    )  # fmt: skip
    reference_key: int | None = option(
        None, "match keys to this one, by its frame number", low=0,
        unset="the mean of the keys around each", section="keys", group=KEYFRAMES,
    )  # fmt: skip
    one_style: int | None = option(
        None, "paint all keys in the style of this one, by its frame number; they keep their own "
        "paint only where it does not show what they show",
        low=0, unset="each has its own", section="keys", group=KEYFRAMES,
    )  # fmt: skip
    refine: float | None = option(
        None, "stylize finished frames again where their error is above this, such as 0.2",
        low=0, high=1, unset="nowhere", section="keys", group=KEYFRAMES,
    )  # fmt: skip
    refine_strength: float = option(
        _REFINE_STRENGTH, "with refine: how far the result may differ from the propagated frame",
        low=0, high=1, section="keys", group=KEYFRAMES,
    )  # fmt: skip
    guide: Mapping[str, Path] = option(
        {}, "a guide of one's own by its name: a folder of images named by frame number, such as "
        "the normals or the IDs of a render; what it tells apart is not painted alike",
        section="guides", group=GUIDES,
    )  # fmt: skip
    guide_weight: Mapping[str, float] = option(
        {}, "how closely each guide is followed, as the weights of the picture are given",
        low=0, high=1000, unset=f"{GUIDE_WEIGHT:g}", section="guides", group=GUIDES,
    )  # fmt: skip
    modulation: Mapping[str, Path] = option(
        {}, "where each guide counts: a folder of images named by frame number, or one image; "
        "white fully, black not at all",
        section="guides", group=GUIDES,
    )  # fmt: skip
    mask: Path | None = option(
        None, "restyle only where this is white, and leave the rest as filmed: a video, a folder "
        "of images named by frame number, or one image",
        section="mask", group=MASK,
    )  # fmt: skip
    invert_mask: bool = option(False, "restyle where the mask is black", section="mask", group=MASK)
    grow: int = option(
        0, "pixels to grow the mask by; negative ones shrink it", low=-1000, high=1000,
        section="mask", group=MASK,
    )  # fmt: skip
    feather: float = option(
        0.0, "width in pixels of the soft edge of the mask, half of it on either side",
        low=0, high=1000, section="mask", group=MASK,
    )  # fmt: skip
    fit_mask: bool = option(
        False, "resize masks of another size, and of a video of another frame rate or length use "
        "the mask of each frame's time",
        section="mask", group=MASK,
    )  # fmt: skip
    figure: Path | None = option(
        None, "masks of the filmed figure that the paint belongs to: what is painted beside it, "
        "such as a hat, moves with it; files as for a mask",
        section="mask", group=MASK, needs=PAINTED_KEYS,
    )  # fmt: skip
    background: str = option(
        FILM, "what shows where nothing is restyled: film, transparent, a colour such as #204080 "
        "or white, or the path of an image or a clip",
        section="mask", group=MASK,
    )  # fmt: skip
    ranges: tuple[Span, ...] = option(
        (), "the frames that a key styles, both ends included; may overlap", section="keys",
        entry="ranges",
    )  # fmt: skip
    """Set by hand; other keys reach to their neighbours, never over a cut."""
    per_key: Path | None = option(
        None, "write the frames of each key and its blend weights too, into folders in this one",
        section="output", group=OUTPUT,
    )  # fmt: skip
    fit_keys: bool = option(
        False, "resize keys that have another size than the clip",
        section="keys", group=KEYFRAMES, needs=PAINTED_KEYS,
    )  # fmt: skip
    rotate_keys: bool = option(
        False, "turn keys that were painted on frames as they are stored, as the clip is turned to "
        "stand upright",
        section="keys", group=KEYFRAMES, needs=PAINTED_KEYS,
    )  # fmt: skip
    align_keys: bool = option(
        False, "move keys back that are shifted or scaled against their frame, as programs that "
        "repaint a frame return them",
        section="keys", group=KEYFRAMES, needs=PAINTED_KEYS,
    )  # fmt: skip
    key_offset: int = option(
        0, "frames to add to the numbers in the names of painted keys, such as -1 for names that "
        "count from one",
        low=-100_000, high=100_000, section="keys", group=KEYFRAMES, needs=PAINTED_KEYS,
    )  # fmt: skip
    propagate: PropagateOptions = field(default_factory=PropagateOptions)
    overwrite: bool = option(False, "replace an output that exists", group=OUTPUT)
    replace_in: Path | None = option(
        None, "a folder whose outputs are replaced even without overwrite", unset="none"
    )
    frames_only: bool = option(False, "only make the finished frames, and no output of them")
    allow_truncated: bool = option(
        False, "use the good frames of a damaged clip", section="clip", group=RUN
    )
    deinterlace: str = option(
        "auto", "make whole frames of the two fields of interlaced ones, as many as before: auto, "
        "on (all frames) or off",
        section="clip", group=RUN,
    )  # fmt: skip
    allow_resize: bool = option(
        False, "scale frames to the size of the first where the size of the clip changes, instead "
        "of ending there",
        section="clip", group=RUN,
    )  # fmt: skip
    frames: FrameRange | None = option(
        None, "use these frames only, both ends included; or two times, such as 0:02.5:0:08",
        section="clip", entry="frames",
    )  # fmt: skip
    frame_rate: float | None = option(
        None, "frames per second of an image sequence", low=0.01, high=1000, unset="24",
        section="clip", entry="frame-rate",
    )  # fmt: skip
    hold: int = option(
        1, "show each made frame this many times, as in animation on twos; sound and speed stay",
        low=1, high=100, section="output", group=OUTPUT,
    )  # fmt: skip
    fill: bool = option(
        False, "with every: then carry the made frames over those between them, for all frames",
        section="output", group=OUTPUT,
    )  # fmt: skip
    crf: int | None = option(
        None, "quality of the video, lower is better", low=0, high=63,
        unset="17; h265: 19, av1: 23, vp9: 24", section="output", group=OUTPUT,
    )  # fmt: skip
    encoder_preset: str | None = option(
        None, "speed of the H.264 and H.265 encoders, ultrafast to veryslow",
        section="output", group=OUTPUT,
    )  # fmt: skip
    codec: str | None = option(
        None, f"codec of the video: {', '.join(CODECS)}", unset="h264; webm: vp9",
        section="output", group=OUTPUT,
    )  # fmt: skip
    depth: int | None = option(
        None, "bits of a channel of the output: 8 or 10 for video, 8 or 16 for images", low=8,
        high=16, unset="8; ProRes: 10", section="output", group=OUTPUT,
    )  # fmt: skip
    size: str | None = option(
        None, "size of the output: 1280x720, or one side, 1280x or x720", unset="that of the clip",
        section="output", group=OUTPUT,
    )  # fmt: skip
    threads: int | None = option(
        None, "how many cores to use; torch on a CPU uses as many as OMP_NUM_THREADS says",
        low=1, high=1024, unset="all cores",
        section="run", group=RUN,
    )  # fmt: skip
    seed: int = option(0, "same seed, same output", low=0, section="run", group=RUN)
    workers: int | None = option(
        None, "how many worker processes to use", low=1, high=1024,
        unset="as many as make the run faster", section="run", group=RUN,
    )  # fmt: skip
    executor: str | None = option(
        None, "where passes are made and blended: inline, in this process; processes, in worker "
        "processes of this machine; ray, with Ray on this machine or a cluster",
        unset="inline for short runs, else processes", section="run", group=RUN,
    )  # fmt: skip
    address: str | None = option(
        None, "HOST:PORT of the head of a Ray cluster, for --executor ray",
        unset="Ray is started on this machine", group=RUN,
    )  # fmt: skip
    """No project has one: who answers there runs code here."""
    work: Path | None = option(
        None, "a folder for work files, which are kept so that a run can resume", group=RUN
    )
    """None: a temporary one that is deleted after the run."""
    frames_folder: Path | None = option(
        None, "a folder for finished frames", unset="in the folder for work files"
    )
    work_limit: int | None = option(
        None, "the most to keep of work files, such as 20GB", low=1, unset="no limit",
        unit="bytes", section="run", group=RUN,
    )  # fmt: skip
    report: Path | None = option(
        None, "a folder for a page about the run, report.html", group=OUTPUT
    )

    def may_replace(self, output: Path | str | None) -> bool:
        """Whether a run may replace what is there already under the name of an output."""
        if self.overwrite or output is None or self.replace_in is None:
            return self.overwrite
        if url_of(output) is not None:
            return False
        return Path(output).resolve().is_relative_to(self.replace_in.resolve())

    @property
    def encoding(self) -> dict[str, Any]:
        """How the output is encoded, as ``create_clip`` takes it."""
        return {
            "crf": self.crf,
            "preset": self.encoder_preset,
            "codec": self.codec,
            "depth": self.depth,
            "size": self.size,
        }

    @property
    def made_step(self) -> int:
        """One frame of this many is made, from the first on."""
        if self.every_frame or self.every == 1:
            return self.hold
        return self.every

    def with_all_frames(self) -> RunOptions:
        """The same for a run, or a part of one, that makes every frame."""
        return replace(self, every=self.every if self.every_frame else 1, hold=1, fill=False)

    def _check_every(self) -> None:
        """Raise OptionsError for frames that cannot be made or shown so."""
        if self.made_step % self.hold:
            raise OptionsError(
                f"hold {self.hold}: does not divide every {self.every}, so that frames would be "
                f"shown for uneven times; give a multiple of {self.hold} as every, or leave it out"
            )
        if not self.fill:
            return
        if self.every_frame:
            raise OptionsError("fill: every-frame fills by itself; leave fill out")
        if self.hold > 1:
            raise OptionsError(
                f"fill: makes the frames that hold {self.hold} leaves out; leave one of them out"
            )
        if self.every == 1:
            raise OptionsError("fill: is for every, such as every 2; give that too")

    def _check_output(self) -> None:
        """Raise OptionsError for an encoding that no output has."""
        if self.codec is not None and self.codec not in CODECS:
            raise OptionsError(f"codec {self.codec!r}: expected one of {', '.join(CODECS)}")
        if self.depth is not None and self.depth not in DEPTHS:
            raise OptionsError(f"depth {self.depth}: expected {', '.join(map(str, DEPTHS))}")
        if self.size is not None:
            parse_output_size(self.size)

    def _check_places(self) -> None:
        """Raise OptionsError for a URL where only a folder on this machine will do."""
        for name in ("per_key", "work", "frames_folder", "report"):
            path = getattr(self, name)
            if path is not None and is_below_url(Path(path)):
                raise OptionsError(
                    f"{name.replace('_', '-')} {path_text(path)}: cannot be at a URL; give a "
                    "folder on this machine, or one that several machines share"
                )

    def _check_mask(self) -> None:
        """Raise OptionsError for a bad background, or for options of a mask without one."""
        parse_background(self.background)
        if self.mask is None:
            check_unused(self, ("invert_mask", "grow", "feather"), "a mask", "mask too")
        if self.mask is None and self.figure is None:
            check_unused(self, ("fit_mask",), "a mask", "mask too")
        if self.figure is not None and self.stylizer != "external":
            raise OptionsError(
                f"figure {self.figure}: is for painted keys; {self.stylizer} makes its own"
            )

    def _check_guides(self) -> None:
        """Raise OptionsError for names that no guide can have, or for values of no guide."""
        for name, folder in self.guide.items():
            if not _GUIDE_NAME.fullmatch(name):
                raise OptionsError(
                    f"guide {shorten(name)}={folder}: expected a name of letters, digits, - and _, "
                    "such as normals"
                )
        for option_name in ("guide_weight", "modulation"):
            for name, value in getattr(self, option_name).items():
                if name not in self.guide:
                    existing = f"only {', '.join(self.guide)}" if self.guide else "nor any other"
                    raise OptionsError(
                        f"{option_name.replace('_', '-')} {shorten(name)}={value}: there is no "
                        f"guide of this name, {existing}; give --guide {shorten(name)}=FOLDER too"
                    )
        if self.guide and self.every_frame and self.every == 1:
            raise OptionsError(
                f"guide {next(iter(self.guide))}: is for propagated frames, and every-frame "
                "stylizes all; leave one of them out, or give every 2"
            )

    def _check_executor(self) -> None:
        """Raise OptionsError for an unknown executor, or options that it does not have."""
        if self.executor not in (None, *EXECUTORS):
            raise OptionsError(
                f"executor {shorten(self.executor)}: expected one of {', '.join(EXECUTORS)}"
            )
        if self.address is not None and self.executor != RAY:
            raise OptionsError(
                f"address {shorten(self.address)}: is for executor ray; give --executor ray too"
            )
        if self.workers is not None and self.executor == INLINE:
            raise OptionsError(
                f"workers {self.workers}: executor inline has none; leave one of them out"
            )

    def _check_match(self) -> None:
        """Raise OptionsError for options of matched keys that exclude each other."""
        if self.reference_key is not None and self.one_style is not None:
            raise OptionsError(
                f"reference-key {self.reference_key}: one-style {self.one_style} names the "
                "reference already; leave one of them out"
            )
        if self.reference_key is not None and self.match_keys == 0:
            raise OptionsError(
                f"reference-key {self.reference_key}: is for match-keys above 0; leave one out"
            )
        if self.every_frame and self.every == 1:
            for name in ("match_keys", "reference_key", "one_style"):
                value = getattr(self, name)
                if value is not None and (value or name != "match_keys"):
                    raise OptionsError(
                        f"{name.replace('_', '-')}: is for keys with frames between them, and "
                        "every-frame makes every frame; leave one out, or give every 2"
                    )

    def __post_init__(self) -> None:
        check_fields(self)
        check_deinterlace(self.deinterlace)
        if self.stylizer == "external" and not self.keys:
            raise OptionsError(
                "no keys: give painted keyframes with --keys, or a filter with --stylizer paint"
            )
        if self.stylizer == "external" and self.stylizer_ranges:
            raise OptionsError(
                f"stylizer range {self.stylizer_ranges[0].name}: is for a stylizer that makes "
                "keys; leave it out beside painted keys"
            )
        if self.stylizer != "external" and self.keys:
            raise OptionsError(
                f"stylizer {self.stylizer}: makes its own keys; leave out --keys, or use external"
            )
        if self.stylizer == "external" and self.every_frame:
            raise OptionsError(
                "every-frame: is for a stylizer that makes keys; leave it out beside painted keys"
            )
        self._check_output()
        self._check_every()
        self._check_places()
        self._check_mask()
        self._check_guides()
        self._check_match()
        self._check_executor()
        if self.refine is not None and self.stylizer == "external":
            raise OptionsError(
                f"refine {self.refine}: is for a stylizer that makes keys; leave it out beside "
                "painted keys"
            )
        if self.refine is not None and self.work_limit is not None:
            raise OptionsError(
                "refine: needs work files that work-limit deletes; leave one of them out"
            )
        if self.refine is None and self.refine_strength != _REFINE_STRENGTH:
            raise OptionsError(
                f"refine-strength {self.refine_strength}: is for refine; give that too, or leave "
                "it out"
            )
        if self.refine is not None and self.every_frame and self.every == 1:
            raise OptionsError(
                f"refine {self.refine}: is for propagated frames, and every-frame stylizes all; "
                "leave one of them out, or give every 2"
            )
        if self.steady and not self.every_frame:
            raise OptionsError("steady: is for every-frame; give that too, or leave it out")
        if self.steady and self.frames_only:
            raise OptionsError("steady: is for an output, and a layer has none; leave it out")
        if self.min_gap and self.max_gap and self.min_gap > self.max_gap:
            raise OptionsError(
                f"min-gap {self.min_gap}: is more than max-gap {self.max_gap}; lower it"
            )
