"""Notice when Numba begins to compile kernels that are not in its cache."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from numba.core import event


@contextlib.contextmanager
def on_first_compile(notify: Callable[[], None]) -> Iterator[None]:
    """Within the block, call ``notify`` once, when Numba begins to compile the first kernel.

    It is called in the thread that compiles; never, if every kernel is in Numba's cache.
    """
    lock, notified = threading.Lock(), False

    class _Listener(event.Listener):  # type: ignore[misc]
        def on_start(self, _: event.Event) -> None:
            nonlocal notified
            with lock:
                first, notified = not notified, True
            if first:
                notify()

        def on_end(self, _: event.Event) -> None:
            pass

    with event.install_listener("numba:compile", _Listener()):
        yield
