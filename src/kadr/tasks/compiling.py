"""Work with kernels in, one call at the moment when the first of them has to be compiled."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from numba.core import event


@contextlib.contextmanager
def on_first_compile(tell: Callable[[], None]) -> Iterator[None]:
    """Within the block, call ``tell`` once, as Numba begins to compile what its cache lacks.

    It is called in whichever thread compiles. Where every kernel is in the cache it is not called.
    """
    lock, told = threading.Lock(), False

    class _Listener(event.Listener):  # type: ignore[misc]
        def on_start(self, _: event.Event) -> None:
            nonlocal told
            with lock:
                first, told = not told, True
            if first:
                tell()

        def on_end(self, _: event.Event) -> None:
            pass

    with event.install_listener("numba:compile", _Listener()):
        yield
