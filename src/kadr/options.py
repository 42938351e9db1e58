"""Options of every step: frozen dataclasses, checked on creation, with help for each field.

The command line and any other front end build themselves from these fields. A plug-in's options
sit in its own file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from kadr.core.frames import FrameRange, Span
from kadr.errors import OptionsError


def option(default: Any, help: str, *, low: float | None = None, high: float | None = None) -> Any:
    """A dataclass field with a help line and, for numbers, an inclusive sane range."""
    return field(default=default, metadata={"help": help, "low": low, "high": high})


def check_fields(options: Any) -> None:
    """Raise OptionsError if a numeric field of a dataclass is outside its declared range."""
    for item in fields(options):
        low, high = item.metadata.get("low"), item.metadata.get("high")
        value = getattr(options, item.name)
        if value is None or (low is None and high is None):
            continue
        bad = not isinstance(value, (int, float)) or not math.isfinite(value)
        if bad or (low is not None and value < low) or (high is not None and value > high):
            bounds = f"{low} to {high}" if high is not None else f"at least {low}"
            raise OptionsError(f"{item.name.replace('_', '-')} {value}: expected {bounds}")


def _check_odd(patch_size: int) -> None:
    if patch_size % 2 == 0:
        raise OptionsError(f"patch-size {patch_size}: expected an odd number, 3 to 15")


@dataclass(frozen=True)
class SynthOptions:
    """How one frame is synthesized; names and defaults as people know them from ``ebsynth``."""

    patch_size: int = option(5, "side of the square patch in pixels, odd", low=3, high=15)
    vote_iterations: int = option(6, "search-and-vote rounds a level", low=1, high=100)
    search_iterations: int = option(4, "PatchMatch passes a round", low=1, high=100)
    levels: int | None = option(None, "pyramid levels; none: as many as fit", low=1, high=32)
    uniformity: float = option(3500.0, "penalty for using a style patch again", low=0, high=1e6)
    stop_threshold: float = option(5.0, "a pixel that moves less is settled", low=0, high=255)
    weighted_vote: bool = option(False, "good matches weigh more in the vote")
    extra_pass_3x3: bool = option(False, "repeat the finest level with patch 3, no uniformity")
    search_radius: int | None = option(
        None, "reach of random search at the finest level in pixels; none: the whole image", low=1
    )
    enough: float = option(0.0, "mean squared error a channel below which none is sought", low=0)
    lost: float | None = option(
        None, "mean squared error a channel above which the whole style is searched", low=0
    )
    seed: int = option(1337, "same seed, same picture", low=0)

    def __post_init__(self) -> None:
        check_fields(self)
        _check_odd(self.patch_size)


_LOST = 18.0**2 / 12
"""A filmed colour 18 levels off, shared over twelve channels: a thing that no match is near."""


@dataclass(frozen=True)
class PropagateOptions:
    """How a style is carried from its key over the frames around it."""

    key_weight: float = option(1.0, "how closely the key's own texture is kept", low=0, high=1000)
    video_weight: float = option(32.0, "how closely filmed colours are followed", low=0, high=1000)
    edge_weight: float = option(1.0, "how closely filmed edges are followed", low=0, high=1000)
    mapping: float = option(2.0, "how firmly strokes stay on the surface", low=0, high=1000)
    deflicker: float = option(3.0, "how firmly a frame keeps to the one before", low=0, high=1000)
    diversity: float = option(3500.0, "penalty for repeating a piece of the key", low=0, high=1e6)
    patch_size: int = option(5, "side of the square patch in pixels, odd", low=3, high=15)
    vote_iterations: int = option(2, "search-and-vote rounds a frame", low=1, high=100)
    search_iterations: int = option(1, "PatchMatch passes a round", low=1, high=100)
    quick_flow: bool = option(False, "find motion three times as fast, a tenth of a pixel coarser")

    def __post_init__(self) -> None:
        check_fields(self)
        _check_odd(self.patch_size)

    def synth_options(self, longest_side: int, seed: int) -> SynthOptions:
        """The engine's options for one frame of a pass, which starts from motion."""
        return SynthOptions(
            patch_size=self.patch_size,
            vote_iterations=self.vote_iterations,
            search_iterations=self.search_iterations,
            uniformity=self.diversity,
            search_radius=max(2, round(longest_side * 0.01)),
            lost=self.video_weight * _LOST,
            seed=seed,
        )


DETAIL: Mapping[str, PropagateOptions] = {
    "high": PropagateOptions(vote_iterations=3, search_iterations=2),
    "medium": PropagateOptions(),
    "low": PropagateOptions(vote_iterations=1, quick_flow=True),
    "draft": PropagateOptions(patch_size=3, vote_iterations=1, quick_flow=True),
}
"""Named trades of time for quality, as EbSynth's Synthesis Detail."""


def detail_options(detail: str, **changes: Any) -> PropagateOptions:
    """A detail preset with some of its values changed; None keeps the preset's."""
    if detail not in DETAIL:
        raise OptionsError(f"detail {detail!r}: expected one of {', '.join(DETAIL)}")
    given = {name: value for name, value in changes.items() if value is not None}
    return replace(DETAIL[detail], **given)


def check_idle(options: Any, names: Iterable[str], what: str, need: str) -> None:
    """Raise OptionsError for the first option that would be left unheeded without another.

    names: options that must be as they are by default. what: what they are for. need: the option
    that makes them count.
    """
    for name in names:
        if getattr(options, name) != getattr(type(options), name):
            dashed = name.replace("_", "-")
            raise OptionsError(f"{dashed}: is for {what}; give {need}, or leave it out")


_REFINE_STRENGTH = 0.3


@dataclass(frozen=True)
class RunOptions:
    """One whole run: a clip, its keys or the stylizer that makes them, and the output."""

    clip: Path
    output: Path | str
    """A video file, a folder (of images) or a pattern; text keeps the slash that marks a folder."""
    keys: tuple[Path, ...] = ()
    """A folder of painted keys, or the files."""
    stylizer: str = option("external", "what makes the keys; external: they are painted already")
    stylizer_options: Mapping[str, Any] = field(default_factory=dict)
    keys_budget: int = option(10, "how many keyframes a stylizer makes", low=1, high=100000)
    min_gap: int | None = option(
        None, "fewest frames from one planned key to the next; none: 1", low=1, high=100000
    )
    max_gap: int | None = option(
        None, "most frames from one planned key to the next; none: any", low=1, high=100000
    )
    ignore_cuts: bool = option(False, "carry keys over cuts too")
    every_frame: bool = option(
        False, "let the stylizer make all frames, or every n-th, instead of planned keyframes"
    )
    every: int = option(
        1, "with every-frame: each how many frames one is stylized", low=1, high=1000
    )
    masks: Path | None = field(
        default=None,
        metadata={
            "help": "where frames are stylized: white in a mask, or in a folder of masks named by "
            "frame number"
        },
    )
    refine: float | None = option(
        None,
        "go over finished frames with the stylizer where the error is above this, 0.2 say; none: "
        "nowhere",
        low=0,
        high=1,
    )
    refine_strength: float = option(
        _REFINE_STRENGTH, "with refine: how far from the carried frame it may go", low=0, high=1
    )
    ranges: tuple[Span, ...] = ()
    """Spans set by hand; other keys reach to their neighbours, never over a cut."""
    per_key: Path | None = field(
        default=None, metadata={"help": "a folder for each key's own frames, one folder a key"}
    )
    fit_keys: bool = option(False, "resize keys that have another size than the clip")
    propagate: PropagateOptions = field(default_factory=PropagateOptions)
    overwrite: bool = option(False, "replace an output that exists")
    allow_truncated: bool = option(False, "use the good frames of a damaged clip")
    frames: FrameRange | None = None
    """Work on these frames only; None: all."""
    frame_rate: float | None = option(
        None, "frames a second of an image sequence; none: 24", low=0.01, high=1000
    )
    crf: int | None = option(
        None, "quality of the video, lower is better; none: 17, 24 for webm", low=0, high=63
    )
    encoder_preset: str | None = option(None, "speed of the H.264 encoder, ultrafast to veryslow")
    threads: int | None = option(None, "how many cores to use; none: all", low=1, high=1024)
    seed: int = option(0, "same seed, same film", low=0)
    workers: int | None = option(
        None, "processes to work in; none: as many as pay", low=1, high=1024
    )
    work: Path | None = field(
        default=None,
        metadata={"help": "a folder for work files, kept, from which a run goes on"},
    )
    """None: a temporary one that goes with the run."""
    frames_folder: Path | None = None
    """Where finished frames are kept; None: in the folder for work files."""
    work_limit: int | None = option(
        None, "the most bytes of work files to keep; none: no limit", low=1
    )
    report: Path | None = field(
        default=None, metadata={"help": "a folder for a page about the run, report.html"}
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.stylizer == "external" and not self.keys:
            raise OptionsError(
                "no keys: give painted keyframes with --keys, or a filter with --stylizer paint"
            )
        if self.stylizer != "external" and self.keys:
            raise OptionsError(
                f"stylizer {self.stylizer}: makes its own keys; leave out --keys, or use external"
            )
        if self.stylizer == "external" and (self.every_frame or self.masks is not None):
            name = "every-frame" if self.every_frame else "masks"
            raise OptionsError(
                f"{name}: is for a stylizer that makes keys; leave it out beside painted keys"
            )
        if self.refine is not None and self.stylizer == "external":
            raise OptionsError(
                f"refine {self.refine}: is for a stylizer that makes keys; leave it out beside "
                "painted keys"
            )
        if self.refine is not None and self.work_limit is not None:
            raise OptionsError(
                "refine: looks at work files that work-limit gives up; leave one of them out"
            )
        if self.refine is None and self.refine_strength != _REFINE_STRENGTH:
            raise OptionsError(
                f"refine-strength {self.refine_strength}: is for refine; give that too, or leave "
                "it out"
            )
        if self.refine is not None and self.every_frame and self.every == 1:
            raise OptionsError(
                f"refine {self.refine}: is for carried frames, and every-frame makes all of them; "
                "leave one of them out, or give every 2"
            )
        if self.every > 1 and not self.every_frame:
            raise OptionsError(f"every {self.every}: is for every-frame; give that too")
        if self.min_gap and self.max_gap and self.min_gap > self.max_gap:
            raise OptionsError(
                f"min-gap {self.min_gap}: is more than max-gap {self.max_gap}; lower it"
            )
