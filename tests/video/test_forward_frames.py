"""Reading frames mostly forwards."""

from __future__ import annotations

from pathlib import Path

from kadr.core.frames import Frame
from kadr.video.clips import open_clip
from kadr.video.forward_frames import ForwardFrames
from scenes import texture, write_sequence


def test_frames_in_any_order_and_few_starts(tmp_path: Path) -> None:
    images = [texture(24, 32, seed=seed) for seed in range(30)]
    with open_clip(write_sequence(tmp_path / "clip", images)) as clip:
        starts: list[int] = []
        frames = clip.frames

        def count(start: int = 0, stop: int | None = None):  # type: ignore[no-untyped-def]
            starts.append(start)
            return frames(start, stop)

        clip.frames = count  # type: ignore[method-assign]
        with ForwardFrames(clip) as forward:
            for index in (3, 4, 7, 20, 5, 6, 29):
                frame = forward.get(index)
                assert isinstance(frame, Frame)
                assert (frame.index, (frame.rgb == images[index]).all()) == (index, True)
        assert starts == [3, 5, 29]
