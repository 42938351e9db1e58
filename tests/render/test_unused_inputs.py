"""A run names the files of its inputs that it does not use."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kadr.core.events import CancelToken, Event, follow
from kadr.core.frames import FrameRange
from kadr.image_files import write_image
from kadr.options import RunOptions
from kadr.render.run_context import open_run
from kadr.render.run_plan import plan_run
from scenes import texture, write_sequence

FLAT = np.full((24, 32, 3), 90, np.uint8)


def test_unused_keys_and_images_are_named(tmp_path: Path) -> None:
    clip = write_sequence(tmp_path / "clip", [texture(24, 32, seed=seed) for seed in range(8)])
    write_image(clip / "cover_1.png", FLAT)
    keys = tmp_path / "keys"
    for number in (1, 4, 5, 6, 7):
        write_image(keys / f"{number}.png", FLAT)
    (keys / "2.exr").write_bytes(b"")
    (keys / "old").mkdir()
    options = RunOptions(clip, tmp_path / "out", (keys,), frames=FrameRange(0, 3), ignore_cuts=True)
    events: list[Event] = []
    with open_run(options) as run:
        plan = follow(plan_run(run, CancelToken()), events.append)
    assert [key.index for key in plan.painted] == [1]
    assert [event.message for event in events if event.message] == [
        f"note: {clip}: 1 image beside the longest sequence, frame_00000.png and so on, not used: "
        "cover_1.png",
        f"note: {keys}: not used, no type that is read: 2.exr",
        f"note: {keys}: subfolders are not read: old",
        f"note: {keys}: not used, outside of frames 0–2: 4.png, 5.png, 6.png and 1 more",
    ]
