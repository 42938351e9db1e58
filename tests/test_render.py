"""The renderer: what it asks of clip and keys, what it reports, and how little it holds at once."""

from __future__ import annotations

import gc
import threading
import tracemalloc
import weakref
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from kadr.core.events import CancelToken, Event
from kadr.core.frames import Frame, FrameRange, Span
from kadr.errors import Cancelled, InputError
from kadr.finish.blend import Candidate, Joiner
from kadr.guides.warp import grid
from kadr.options import PropagateOptions
from kadr.plan.spans import pair_spans
from kadr.render import Renderer
from kadr.run.store import FolderStore, MemoryStore, Store
from kadr.video.base import ClipInfo, ClosingMixin
from scenes import paint, show, texture, translation

HEIGHT, WIDTH = 32, 48
PICTURE = texture(HEIGHT, WIDTH)


def _shake(index: int) -> tuple[int, int]:
    """How far the picture lies from its place, (x, y) in pixels."""
    return index * 7 % 5 - 2, index * 3 % 4 - 1


class MadeClip(ClosingMixin):
    """A clip that makes its frames when they are asked for, and counts those that are alive."""

    def __init__(self, count: int, broken: int | None = None) -> None:
        self._count, self._broken = count, broken
        self._lock = threading.Lock()
        self._alive: weakref.WeakSet[Frame] = weakref.WeakSet()
        self.most_alive = 0
        self.info = ClipInfo(
            Path("made"), "images", WIDTH, HEIGHT, count, Fraction(25), Fraction(count, 25)
        )
        self.times: Sequence[Fraction] = [Fraction(index, 25) for index in range(count)]

    def __len__(self) -> int:
        return self._count

    def frame(self, index: int) -> Frame:
        """The picture, shaking by a pixel or two."""
        if index == self._broken:
            raise InputError(f"made: frame {index} is damaged")
        frame = Frame(index, show(PICTURE, translation(*_shake(index))), Fraction(index, 25))
        with self._lock:
            self._alive.add(frame)
            self.most_alive = max(self.most_alive, len(self._alive))
        return frame

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Forwards."""
        return map(self.frame, range(start, self._count if stop is None else stop))

    def frames_backward(self, start: int, stop: int) -> Iterator[Frame]:
        """Backwards."""
        return map(self.frame, range(stop - 1, start - 1, -1))

    def number(self, index: int) -> int:
        """As a video."""
        return index

    def index_of(self, number: int) -> int | None:
        """As a video."""
        return number if 0 <= number < self._count else None

    def name(self, index: int) -> str:
        """As a video."""
        return f"frame_{index:05d}"


class CountingStore(MemoryStore):
    """A store that knows its entries."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def put(self, fingerprint: str, arrays: object) -> None:
        """Keep and note."""
        super().put(fingerprint, arrays)  # type: ignore[arg-type]
        self.names.add(fingerprint)

    def discard(self, fingerprint: str) -> None:
        """Forget and note."""
        super().discard(fingerprint)
        self.names.discard(fingerprint)


def _style(clip: MadeClip, key: int) -> np.ndarray:
    return paint(clip.frame(key).image)


def _renderer(
    clip: MadeClip,
    keys: Sequence[int],
    *,
    given: Sequence[Span] = (),
    frames: FrameRange | None = None,
    store: Store | None = None,
    **more: object,
) -> Renderer:
    frames = frames or FrameRange(0, len(clip))
    spans = pair_spans(keys, frames, given)
    return Renderer(
        clip,
        spans,
        frames,
        lambda key: _style(clip, key),
        PropagateOptions(),
        store or MemoryStore(),
        **more,  # type: ignore[arg-type]
    )


def _frames(made: Iterator[Event | Frame]) -> list[Frame]:
    return [item for item in made if isinstance(item, Frame)]


def test_frames_come_in_order_with_their_times() -> None:
    clip = MadeClip(9)
    made = _frames(_renderer(clip, [2, 6]).render())
    assert [frame.index for frame in made] == list(range(9))
    assert [frame.time for frame in made] == list(clip.times)
    for key in (2, 6):
        assert np.array_equal(made[key].image, _style(clip, key))


def test_a_part_of_a_clip_keeps_its_indices() -> None:
    made = _frames(_renderer(MadeClip(12), [5], frames=FrameRange(3, 8)).render())
    assert [frame.index for frame in made] == [3, 4, 5, 6, 7]


def test_every_pass_frame_is_reported_with_its_key() -> None:
    clip = MadeClip(10)
    reported: list[tuple[int, int]] = []
    images: dict[tuple[int, int], np.ndarray] = {}

    def note(key: int, frame: Frame, image: np.ndarray) -> None:
        reported.append((key, frame.index))
        images[key, frame.index] = image

    given = [Span(2, 0, 8), Span(6, 1, 10)]
    made = _frames(_renderer(clip, [2, 6], given=given, on_pass=note).render())
    assert sorted(reported) == sorted([(span.key, index) for span in given for index in span.range])
    for key in (2, 6):
        assert np.array_equal(images[key, key], _style(clip, key))
    # one key alone: its frame is the film's
    assert np.array_equal(images[2, 0], made[0].image)
    assert np.array_equal(images[6, 9], made[9].image)


def test_events_count_every_frame_of_every_pass() -> None:
    given = [Span(2, 0, 8), Span(6, 1, 10)]
    made = list(_renderer(MadeClip(10), [2, 6], given=given).render())
    events = [item for item in made if isinstance(item, Event)]
    assert events[0] is made[0]  # a bar is there while kernels compile
    total = (8 - 1) + (9 - 1)
    assert [(event.index, event.total) for event in events] == [
        (n, total) for n in range(total + 1)
    ]


def test_no_passes_are_not_announced() -> None:
    made = list(_renderer(MadeClip(3), range(3)).render())
    assert [type(item) for item in made] == [Frame] * 3


def test_the_choice_moves_with_the_picture_before_the_first_key_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known: list[np.ndarray | None] = []

    class Noting(Joiner):
        def join(self, candidates: Sequence[Candidate], positions: np.ndarray | None) -> np.ndarray:
            known.append(positions)
            return super().join(candidates, positions)

    monkeypatch.setattr("kadr.render.Joiner", Noting)
    clip = MadeClip(8)
    given = [Span(5, 0, 7), Span(6, 0, 8)]
    list(_renderer(clip, [5, 6], given=given).render())
    assert known[0] is None  # nothing came before
    for index in (1, 2, 3, 4):
        found = known[index]
        assert found is not None
        (dx, dy), (old_dx, old_dy) = (_shake(at) for at in (index, index - 1))
        inner = np.median((found - grid(HEIGHT, WIDTH))[8:-8, 8:-8], axis=(0, 1))
        assert np.abs(inner - [old_dx - dx, old_dy - dy]).max() < 0.3


def test_what_was_stored_is_forgotten_once_used() -> None:
    store = CountingStore()
    most = 0
    for _ in _renderer(MadeClip(24), [5, 11, 17, 23], store=store).render():
        most = max(most, len(store.names))
    assert not store.names
    assert 5 <= most <= 12  # the backward passes of the spans under way, not of the film


def test_results_do_not_depend_on_the_store(tmp_path: Path) -> None:
    plain = _frames(_renderer(MadeClip(8), [1, 6]).render())
    on_disk = _frames(_renderer(MadeClip(8), [1, 6], store=FolderStore(tmp_path)).render())
    for a, b in zip(plain, on_disk, strict=True):
        assert np.array_equal(a.image, b.image)


def _most_alive(count: int, keys: int) -> int:
    clip = MadeClip(count)
    step = count // keys
    for _ in _renderer(clip, range(step // 2, count, step)).render():
        pass
    return clip.most_alive


def test_frames_alive_do_not_grow_with_the_clip() -> None:
    assert _most_alive(96, 6) <= _most_alive(32, 2) + 2


def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    def held(count: int) -> int:
        """Bytes held from frame to frame; what threads hold for a moment is left out."""
        gc.collect()
        tracemalloc.start()
        try:
            store = FolderStore(tmp_path / str(count))
            sizes = [
                tracemalloc.get_traced_memory()[0]
                for item in _renderer(MadeClip(count), [0, count - 1], store=store).render()
                if isinstance(item, Frame)
            ]
        finally:
            tracemalloc.stop()
        return max(min(sizes[at : at + 8]) for at in range(0, count, 8))

    held(8)  # caches are filled
    # 96 more frames would be 440 kB; their times and names are a few
    assert held(120) < held(24) + 150_000


def test_a_stop_ends_the_threads_too() -> None:
    cancel = CancelToken()
    made = _renderer(MadeClip(12), [3, 9], cancel=cancel).render()
    for item in made:
        if isinstance(item, Frame) and item.index == 4:
            cancel.cancel()
            break
    with pytest.raises(Cancelled):
        next(made)
    made.close()
    assert not [t for t in threading.enumerate() if t.name == "kadr-ahead"]


def test_a_stop_is_heard_where_every_frame_is_a_key() -> None:
    cancel = CancelToken()
    made = _renderer(MadeClip(6), range(6), cancel=cancel).render()
    next(made)
    cancel.cancel()
    with pytest.raises(Cancelled):
        list(made)


@pytest.mark.parametrize("broken", [1, 7, 11])
def test_a_damaged_frame_is_an_error_of_the_run(broken: int) -> None:
    clip = MadeClip(12, broken)
    with pytest.raises(InputError, match=f"frame {broken} is damaged"):
        _frames(_renderer(clip, [5]).render())


def test_a_key_between_two_others_hides_neither() -> None:
    # three keys of flat colours: each film frame lies between the colours of the keys around it
    clip = MadeClip(13)
    frames = FrameRange(0, 13)
    levels = {0: 40, 6: 120, 12: 220}
    renderer = Renderer(
        clip,
        pair_spans(sorted(levels), frames),
        frames,
        lambda key: np.full((HEIGHT, WIDTH, 3), levels[key], np.uint8),
        PropagateOptions(),
        MemoryStore(),
    )
    means = [frame.image.mean() for frame in _frames(renderer.render())]
    assert means == sorted(means)
    assert [means[key] for key in levels] == list(levels.values())
    assert max(np.diff(means)) < 0.6 * 100  # handed over, not cut
