"""Other options of the stylizer for ranges of frames: which keys change, and which do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from kadr.core.events import Event, follow
from kadr.core.frames import FrameRange
from kadr.dry_run import DryRunRange, make_dry_run
from kadr.errors import OptionsError
from kadr.image_files import read_image
from kadr.option_fields import check_fields, option
from kadr.options import RunOptions, StylizerRange
from kadr.pipeline import restyle
from kadr.render.refine import Refiner
from kadr.stylize.base import StyledFrame, StylizeContext, StylizeJob
from scenes import sliding, write_sequence

COUNT = 12
_BRIGHT = sliding(COUNT // 2, 1.0, height=48, width=64)
_DARK = sliding(COUNT // 2, -1.0, height=48, width=64, seed=5)
IMAGES = _BRIGHT + [image // 3 for image in _DARK]
"""Two shots of six frames."""


@dataclass(frozen=True)
class _Options:
    seed: int = option(0, "added to each frame", low=0, high=100)
    denoising_strength: float = option(0.5, "how much frames change", low=0, high=1)

    def __post_init__(self) -> None:
        check_fields(self)


class Shift:
    """Adds its seed to each frame; tells which frames were stylized together with which seed."""

    Options: ClassVar[type[_Options]] = _Options
    VERSION = 1
    name = "shift"
    joint = False
    sequential = False
    max_batch = 4
    calls: ClassVar[list[tuple[int, list[int]]]] = []

    def __init__(self, options: _Options) -> None:
        self._seed = options.seed

    def stylize(
        self, jobs: Iterator[StylizeJob], context: StylizeContext
    ) -> Iterator[list[StyledFrame]]:
        call: list[int] = []
        self.calls.append((self._seed, call))
        for job in jobs:
            call.append(job.index)
            image = np.minimum(job.frame.rgb, 150) + np.uint8(self._seed)
            yield [StyledFrame(job.index, image)]


@pytest.fixture(autouse=True)
def _use_shift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        __import__("kadr.stylize.registry", fromlist=["_CLASSES"])._CLASSES,
        "shift",
        f"{__name__}:Shift",
    )
    monkeypatch.setattr(Shift, "calls", [])
    monkeypatch.setattr(Shift, "joint", False)
    monkeypatch.setattr(Shift, "sequential", False)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Twelve frames numbered from 1 with a cut in the middle."""
    return write_sequence(tmp_path / "clip", IMAGES, 1)


def _range(start: int, stop: int, **options: Any) -> StylizerRange:
    return StylizerRange(f"{start + 1}:{stop}", options, FrameRange(start, stop))


def _options(clip: Path, *ranges: StylizerRange, **changes: Any) -> RunOptions:
    folder = clip.parent
    changes = {"output": folder / "out", "work": folder / "work", "every_frame": True, **changes}
    return RunOptions(
        clip=clip, stylizer="shift", stylizer_ranges=ranges, overwrite=True, **changes
    )


def _run(clip: Path, *ranges: StylizerRange, **changes: Any) -> list[int]:
    """The seeds that the finished frames show."""
    result = restyle(_options(clip, *ranges, **changes))
    images = [read_image(path) for path in sorted(Path(result.output).glob("*.png"))]
    return [
        round(float((image.astype(int) - np.minimum(source, 150)).mean()))
        for image, source in zip(images, IMAGES, strict=True)
    ]


def _stylized() -> list[int]:
    """Which frames were stylized since the last call."""
    indices = sorted(index for _, call in Shift.calls for index in call)
    Shift.calls.clear()
    return indices


def test_only_frames_of_the_range_change(clip: Path) -> None:
    assert _run(clip) == [0] * COUNT
    assert _stylized() == list(range(COUNT))
    assert _run(clip, _range(2, 5, seed=40)) == [0, 0, 40, 40, 40, *[0] * 7]
    assert _stylized() == [2, 3, 4]
    # a longer range makes only what is new in it, a shorter one nothing
    assert _run(clip, _range(2, 6, seed=40))[5] == 40
    assert _stylized() == [5]
    _run(clip, _range(2, 4, seed=40))
    assert _stylized() == []
    # the value that holds everywhere is no other value
    _run(clip, _range(2, 4, seed=0))
    assert _stylized() == []


def test_the_change_falls_on_keys(clip: Path) -> None:
    seeds = _run(clip, _range(2, 6, seed=40), every=5)
    assert [seeds[index] for index in (0, 5, 6, 11)] == [0, 40, 0, 0]
    assert Shift.calls == [(0, [0]), (40, [5]), (0, [6, 11])]
    assert 5 < seeds[3] < 35
    _stylized()
    _run(clip, _range(3, 6, seed=40), every=5)
    assert _stylized() == []


def test_a_shot_is_a_range(clip: Path) -> None:
    second = StylizerRange("shot 2", {"seed": 40}, shot=2)
    assert _run(clip, second) == [*[0] * 6, *[40] * 6]
    # with fewer frames the shots of all frames still count
    fewer = replace(second, shots_of=FrameRange(0, COUNT))
    options = _options(clip, fewer, frames=FrameRange(6, 12), output=clip.parent / "part")
    _stylized()
    restyle(options)
    assert _stylized() == []
    with pytest.raises(
        OptionsError, match="stylizer range shot 3: the clip has 2 shots; kadr plan"
    ):
        _run(clip, replace(second, name="shot 3", shot=3))
    with pytest.raises(OptionsError, match="stylizer ranges shot 2 and 3:7: have frames in common"):
        _run(clip, second, _range(2, 7, seed=3))


@pytest.mark.parametrize("order", ["whole", "resumed"])
def test_a_joint_stylizer_makes_sections_jointly(
    clip: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(Shift, "joint", True)
    ranges = [_range(2, 4, seed=40), _range(4, 5, seed=0)]
    sections = [[0, 1], [2, 3], [4], [5, 6, 7, 8, 9, 10, 11]]
    if order == "resumed":
        _run(clip, *ranges)
        store = clip.parent / "work" / "store" / "stylize"
        entries = sorted(store.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for position in (0, 5):  # in the sections around a range
            entries[position].unlink()
        Shift.calls.clear()
        sections = [[0, 1], [5]]
    _run(clip, *ranges)
    assert [call for _, call in Shift.calls] == sections


def test_a_sequential_stylizer_goes_on_through_a_range(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shift, "sequential", True)
    _run(clip)
    _stylized()
    _run(clip, _range(3, 4, seed=40))
    # the frames after it in its shot depend on it
    assert _stylized() == [3, 4, 5]


def test_refining_takes_the_values_of_a_range(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere = np.ones((48, 64), bool)
    monkeypatch.setattr(Refiner, "mask", lambda self, index: everywhere if index % 5 else None)
    range_options = {"seed": 40, "denoising_strength": 0.9}
    refine_options = Refiner._refine_options(_Options, range_options)
    assert refine_options == {"seed": 40}
    # no key lies in the range, so only what is refined there has its values
    for seed in (40, 20):
        Shift.calls.clear()
        range_options["seed"] = seed
        _run(clip, _range(1, 5, **range_options), every=5, refine=0.0, ignore_cuts=True)
        refined = [index for used, call in Shift.calls if used == seed for index in call]
        assert refined == [1, 2, 3, 4]


def test_a_range_without_key_is_told(clip: Path) -> None:
    events: list[Event] = []
    options = _options(clip, _range(1, 3, seed=4), every=5)
    restyle(replace(options, refine=0.9), on_event=events.append)
    assert not any("range" in event.message for event in events)
    restyle(options, on_event=events.append)
    messages = [event.message for event in events if "range" in event.message]
    assert messages == ["note: stylizer range 2:3: holds no key of this run, so it changes nothing"]


def test_a_value_that_the_stylizer_refuses_names_the_range(clip: Path) -> None:
    with pytest.raises(OptionsError, match="stylizer range 2:3: seed 999: expected 0 to 100"):
        _run(clip, _range(1, 3, seed=999))
    with pytest.raises(
        OptionsError, match="stylizer range 2:3: stylizer shift: no option 'radius'"
    ):
        _run(clip, _range(1, 3, radius=9))
    with pytest.raises(OptionsError, match="range 2:3: is for a stylizer that makes keys"):
        RunOptions(clip, "out", (Path("keys"),), stylizer_ranges=(_range(1, 3, seed=1),))
    with pytest.raises(OptionsError, match="range 2:3: sets nothing"):
        _range(1, 3)


def test_a_dry_run_and_the_report_name_the_ranges(clip: Path, tmp_path: Path) -> None:
    _run(clip, _range(2, 4, seed=40))
    options = _options(clip, _range(2, 6, seed=40), report=tmp_path / "report")
    dry_run = follow(make_dry_run(options), None)
    assert dry_run.ranges == (DryRunRange("3:6", ("seed",), 4, 2),)
    restyle(options)
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "<dt>stylizer ranges 1: name</dt><dd>3:6</dd>" in page
    assert "<dt>stylizer ranges 1: options: seed</dt><dd>40</dd>" in page
