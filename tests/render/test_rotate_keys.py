"""Clips that are stored rotated, with keys that were painted on frames as they are stored."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from kadr import open_clip
from kadr.core.events import CancelToken, Event, follow
from kadr.core.frames import Image
from kadr.errors import InputError, OptionsError
from kadr.image_files import read_image, write_image
from kadr.options import RunOptions
from kadr.pipeline import restyle
from kadr.render.run_context import open_run
from kadr.render.run_plan import plan_run
from scenes import paint, sliding

FILM = sliding(4, 2.0, height=96, width=160)
"""Frames as they are stored."""


def _style(image: Image) -> Image:
    return paint(cv2.GaussianBlur(image, (0, 0), 1.5))


def _clip(path: Path, rotation: int) -> Path:
    """The film with a note to turn it; counter-clockwise, as libav has it."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=24, options={"crf": "8"})
        stream.height, stream.width = FILM[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.set_display_rotation(rotation)
        for index, image in enumerate(FILM):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _run(folder: Path, clip: Path, name: str, **options: Any) -> list[Image]:
    output = folder / f"out-{name}"
    values = {"work": folder / "work", "overwrite": True, **options}
    restyle(RunOptions(clip, output, (folder / name,), **values))
    return [read_image(path).astype(np.uint8) for path in sorted(output.iterdir())]


def _messages(folder: Path, clip: Path, name: str, **options: Any) -> list[str]:
    events: list[Event] = []
    with open_run(RunOptions(clip, folder / "out", (folder / name,), **options)) as run:
        follow(plan_run(run, CancelToken()), events.append)
    return [event.message for event in events if event.message]


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_keys_are_turned_as_the_clip_is(tmp_path: Path, rotation: int) -> None:
    clip = _clip(tmp_path / "phone.mp4", rotation)
    with open_clip(clip) as opened:
        upright, degrees = opened.frame(1).rgb, opened.info.rotation
    # the clip itself tells how its frames are turned
    stored_key = _style(np.rot90(upright, degrees // 90).copy())
    write_image(tmp_path / "stored" / "1.png", stored_key)
    write_image(tmp_path / "upright" / "1.png", np.rot90(stored_key, -degrees // 90).copy())
    turned = _run(tmp_path, clip, "stored", rotate_keys=True)
    expected = _run(tmp_path, clip, "upright")
    assert all(map(np.array_equal, turned, expected))
    if degrees % 180:
        with pytest.raises(InputError, match=r"it is turned by 90°.*give --rotate-keys"):
            _run(tmp_path, clip, "stored")
        # keys that stand upright already stay so
        assert np.array_equal(_run(tmp_path, clip, "upright", rotate_keys=True)[1], expected[1])


def test_keys_upside_down_are_told(tmp_path: Path) -> None:
    clip = _clip(tmp_path / "phone.mp4", 180)
    with open_clip(clip) as opened:
        upright = _style(opened.frame(1).rgb)
    write_image(tmp_path / "stored" / "1.png", upright[::-1, ::-1].copy())
    write_image(tmp_path / "upright" / "1.png", upright)
    (message,) = _messages(tmp_path, clip, "stored")
    assert "1.png: fits its frame better turned by 180°; give --rotate-keys" in message
    assert _messages(tmp_path, clip, "stored", rotate_keys=True) == []
    assert _messages(tmp_path, clip, "upright") == []
    (message,) = _messages(tmp_path, clip, "upright", rotate_keys=True)
    assert message.endswith("fits its frame better as it was saved; leave out --rotate-keys")


def test_a_clip_that_is_stored_upright_turns_nothing(tmp_path: Path) -> None:
    clip = _clip(tmp_path / "upright.mp4", 0)
    write_image(tmp_path / "keys" / "1.png", _style(FILM[1]))
    with pytest.raises(OptionsError, match=r"rotate-keys: is for a clip .*upright\.mp4 is not"):
        _run(tmp_path, clip, "keys", rotate_keys=True)
