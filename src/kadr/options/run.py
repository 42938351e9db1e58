"""The options of a whole run: a clip, its keys or their stylizer, and the output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, replace
from pathlib import Path
from typing import Any

from kadr.core.background import FILM
from kadr.core.encodings import CODECS
from kadr.core.frames import FrameRange, Span
from kadr.core.locations import url_of
from kadr.option_fields import (
    GUIDES,
    KEYFRAMES,
    MASK,
    OUTPUT,
    PAINTED_KEYS,
    PLANNED_KEYS,
    RUN,
    check_fields,
    option,
)
from kadr.options.picture import PropagateOptions
from kadr.options.run_checks import (
    GUIDE_WEIGHT,
    REFINE_STRENGTH,
    check_run,
)
from kadr.options.stylizer_ranges import StylizerRange


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
        REFINE_STRENGTH, "with refine: how far the result may differ from the propagated frame",
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

    def __post_init__(self) -> None:
        check_fields(self)
        check_run(self)
