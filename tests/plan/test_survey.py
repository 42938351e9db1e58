"""The survey of a clip: known scenes, shots, caching, cancelling."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kadr import Cancelled, CancelToken, Event, FrameRange, open_clip, survey_clip
from kadr.core.events import follow
from kadr.plan.coverage import Survey
from kadr.plan.keyframes import choose_keyframes
from kadr.plan.survey import REACH, SPACING, cached_survey
from scenes import sliding, texture, write_sequence


def _survey(
    path: Path, frames: FrameRange | None = None, cache: Path | None = None
) -> tuple[Survey, list[Event]]:
    events: list[Event] = []
    with open_clip(path) as clip:
        survey = survey_clip(
            clip, frames or FrameRange(0, len(clip)), cancel=CancelToken(), cache=cache
        )
        return follow(survey, events.append), events


def _surveyed(folder: Path, images: Sequence[np.ndarray]) -> Survey:
    return _survey(write_sequence(folder / "in", images))[0]


def test_a_still_clip_needs_one_key(tmp_path: Path) -> None:
    survey = _surveyed(tmp_path, [texture()] * 12)
    assert not survey.unexplained[:, REACH - 3 : REACH + 4][:, 3].any()
    assert len(choose_keyframes(survey, 5)) == 1
    assert survey.coverage([0]) == 1


def test_motion_is_explained_and_new_content_is_not(tmp_path: Path) -> None:
    survey = _surveyed(tmp_path, sliding(17, 2.0))
    curve = survey.curve([0])
    assert curve[0] == 0
    assert curve[16] > 0.05, "32 of 96 pixels are new"
    assert curve[16] < 0.45
    # the content moves to the right: what is new enters at the left, block column 0
    row = survey.explain(0, FrameRange(16, 17)).reshape(6, 6)
    assert row[:, 0].mean() > 4 * row[:, 4:].mean()
    assert survey.coverage([0, 16]) > survey.coverage([0])


def test_an_object_that_appears_needs_its_own_key(tmp_path: Path) -> None:
    images = [texture(seed=1).copy() for _ in range(24)]
    for image in images[16:]:
        image[20:50, 30:70] = texture(seed=9)[20:50, 30:70]
    survey = _surveyed(tmp_path, images)
    early, late = choose_keyframes(survey, 2)
    assert early < 16 <= late
    assert survey.coverage([early, late]) > 0.995
    assert survey.coverage([early]) < 0.97


def test_keys_explain_their_shot_only(tmp_path: Path) -> None:
    survey = _surveyed(tmp_path, [*sliding(14, 0.5, seed=1), *sliding(11, 0.5, seed=2)])
    assert survey.shots == (FrameRange(0, 14), FrameRange(14, 25))
    expected = [0, 4, 8, 12, 13, 14, 18, 22, 24]
    assert survey.candidates.tolist() == expected, f"every {SPACING}th of a shot, and its last"
    assert survey.curve([0])[14:].tolist() == [1.0] * 11
    assert survey.unexplained[3, REACH + 2 :].min() == 255, "frame 14 is of another shot"


def test_some_frames_of_a_clip(tmp_path: Path) -> None:
    path = write_sequence(tmp_path / "in", sliding(20, 1.0), first=1001)
    survey, events = _survey(path, FrameRange(5, 15))
    assert survey.frames == FrameRange(5, 15)
    assert survey.candidates.tolist() == [5, 9, 13, 14]
    assert [(event.index, event.total) for event in events][-1] == (10, 10)
    full, _ = _survey(path)
    assert survey.curve([5]) == pytest.approx(
        full.explain(4, FrameRange(5, 15)).mean(1) / 255, abs=0.1
    )


def test_a_survey_is_cached_by_the_content_of_the_clip(tmp_path: Path) -> None:
    images, cache = sliding(9, 1.0), tmp_path / "cache"
    first, events = _survey(write_sequence(tmp_path / "a", images), cache=cache)
    assert len(events) == 10
    reloaded, events = _survey(write_sequence(tmp_path / "a", images), cache=cache)
    assert len(events) == 1, "read from the cache"
    assert (reloaded.frames, reloaded.shots) == (first.frames, first.shots)
    np.testing.assert_array_equal(reloaded.candidates, first.candidates)
    np.testing.assert_array_equal(reloaded.unexplained, first.unexplained)
    _, events = _survey(tmp_path / "a", FrameRange(0, 8), cache)
    assert len(events) == 9, "of other frames"
    other_clip = write_sequence(tmp_path / "b", [texture(seed=3)] * 9)
    _, events = _survey(other_clip, cache=cache)
    assert len(events) == 10, "of another clip"


def test_a_damaged_survey_is_computed_again(tmp_path: Path) -> None:
    path, cache = write_sequence(tmp_path / "in", sliding(9, 1.0)), tmp_path / "cache"
    first, _ = _survey(path, cache=cache)
    (entry,) = cache.glob("survey-*.zip")
    os.truncate(entry, entry.stat().st_size // 2)
    reloaded, events = _survey(path, cache=cache)
    assert len(events) == 10
    np.testing.assert_array_equal(reloaded.unexplained, first.unexplained)


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_sequence(tmp_path / "in", sliding(6, 1.0))
    (tmp_path / "file").write_bytes(b"")
    survey, _ = _survey(path, cache=tmp_path / "file" / "cache")
    assert survey.frames == FrameRange(0, 6)
    assert "the clip will be surveyed again next time" in caplog.text


def test_a_survey_can_be_cancelled(tmp_path: Path) -> None:
    cancel, cache = CancelToken(), tmp_path / "cache"
    with open_clip(write_sequence(tmp_path / "in", sliding(9, 1.0))) as clip:
        survey = survey_clip(clip, FrameRange(0, 9), cancel=cancel, cache=cache)

        def stop(event: Event) -> None:
            if event.index == 4:
                cancel.cancel()

        with pytest.raises(Cancelled):
            follow(survey, stop)
    assert not list(cache.glob("survey-*.zip"))


@pytest.mark.parametrize("size", [(20, 20), (8, 200), (300, 12)])
def test_small_and_narrow_clips(tmp_path: Path, size: tuple[int, int]) -> None:
    images = sliding(6, 0.5, height=size[0], width=size[1])
    survey = _surveyed(tmp_path, images)
    assert survey.curve([0])[0] == 0
    keys = choose_keyframes(survey, 3)
    assert survey.coverage(keys) > survey.coverage([0]) > 0


class _Left:
    """Masks of the left half of each frame."""

    def matte(self, index: int) -> np.ndarray:
        matte = np.zeros((72, 192), np.float32)
        matte[:, :96] = 1
        return matte

    def digest(self, index: int) -> str:
        return "left"


def test_what_moves_outside_of_the_masks_only_does_not_count(tmp_path: Path) -> None:
    images = [texture(72, 192, seed=1).copy() for _ in range(24)]
    for index, image in enumerate(images):
        image[:, 144:] = texture(72, 200, seed=2)[:, 4 * index : 4 * index + 48]
        if index >= 16:
            image[24:48, 16:48] = texture(72, 192, seed=9)[24:48, 16:48]
    path, cache = write_sequence(tmp_path / "in", images), tmp_path / "cache"
    whole, _ = _survey(path, cache=cache)
    assert whole.curve([0])[1:].min() > 0.02, "the right of it leaves the picture"
    with open_clip(path) as clip:
        frames = FrameRange(0, len(clip))
        masked = follow(survey_clip(clip, frames, cancel=CancelToken(), cache=cache, masks=_Left()))
        assert cached_survey(clip, frames, cache, _Left()) is not None
        assert cached_survey(clip, frames, cache) is not None
    assert masked.shots == whole.shots
    curve = masked.curve([0])
    assert curve[:16].max() < 0.01
    # 24 of 72 rows and 32 of 96 columns
    assert curve[17:].mean() == pytest.approx(1 / 9, abs=0.05)
    early, late = choose_keyframes(masked, 2)
    assert early < 16 <= late
    assert masked.coverage([early, late]) > 0.995
