"""Send values through a pipe: complete, in order, and with an end that the receiver sees."""

from __future__ import annotations

import os
import threading

import pytest

from kadr.tasks.channel import Channel


def test_values_from_many_threads_arrive_complete_until_the_end() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as incoming, os.fdopen(writer, "wb") as outgoing:
        sender, receiver = Channel(incoming, outgoing), Channel(incoming, outgoing)
        messages = [(number, "ä" * 3000) for number in range(40)]
        threads = [
            threading.Thread(target=lambda part=messages[n::4]: [sender.send(m) for m in part])
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        assert sorted(receiver.receive() for _ in messages) == messages
        for thread in threads:
            thread.join()
        outgoing.close()
        with pytest.raises(EOFError):
            receiver.receive()
        with pytest.raises(ValueError, match="closed"):
            sender.send("more")
