"""Pass items from a thread that produces them to the generator that yields them."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

from kadr.core.stage_times import in_stages, open_stages

Item = TypeVar("Item")


class ReaderClosedError(BaseException):
    """Ends the producer when nobody reads its items any more."""


class ThreadQueue(Generic[Item]):
    """A queue of at most ``depth`` items between one producing thread and one reader."""

    def __init__(self, depth: int) -> None:
        self._ready: queue.Queue[tuple[Item] | BaseException | None] = queue.Queue(depth)
        self._closed = threading.Event()

    def put(self, item: Item) -> None:
        """Wait until there is room, then add an item. Raises ReaderClosedError in the producer."""
        self._put((item,))

    def offer(self, item: Item) -> None:
        """Add an item only if none waits to be read. Raises ReaderClosedError in the producer."""
        if self._closed.is_set():
            raise ReaderClosedError
        if self._ready.empty():
            self._ready.put((item,))

    def run(self, produce: Callable[[], None], thread_name: str) -> Generator[Item, None, None]:
        """Call ``produce`` in a thread and yield what it puts; its exceptions are raised here.

        Closing this generator ends the thread at its next ``put`` or ``offer`` and waits for it.
        """

        stages = open_stages()

        def run() -> None:
            try:
                with in_stages(stages):
                    produce()
                self._put(None)
            except ReaderClosedError:
                pass
            except BaseException as error:  # the reader raises it
                with contextlib.suppress(ReaderClosedError):
                    self._put(error)

        thread = threading.Thread(target=run, name=thread_name, daemon=True)
        thread.start()
        try:
            while (entry := self._ready.get()) is not None:
                if isinstance(entry, BaseException):
                    raise entry
                yield entry[0]
        finally:
            self._closed.set()
            thread.join()

    def _put(self, entry: tuple[Item] | BaseException | None) -> None:
        while not self._closed.is_set():
            try:
                self._ready.put(entry, timeout=0.1)
                return
            except queue.Full:
                continue
        raise ReaderClosedError
