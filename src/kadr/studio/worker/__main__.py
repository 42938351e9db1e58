"""``python -m kadr.studio.worker``: calls as JSON lines on stdin, events and results on stdout.

The server sends one call at a time, and ends the process by closing stdin: what runs is cancelled
then, at its next frame. So no work goes on when the server was killed.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import signal
import sys
import threading
from typing import Any, BinaryIO

from kadr.core.events import CancelToken
from kadr.storage.kernel_cache import prepare_kernel_cache
from kadr.studio.error_facts import error_facts
from kadr.studio.worker.call import Call, Send

CALLS = {
    "describe": "project_calls:describe",
    "check_clip": "project_calls:check_clip",
    "create": "project_calls:create",
    "sample": "project_calls:create_sample",
    "set_options": "edit_calls:set_options",
    "set_range": "edit_calls:set_range",
    "set_layer": "edit_calls:set_layer",
    "set_layer_order": "edit_calls:set_layer_order",
    "undo": "edit_calls:undo",
    "redo": "edit_calls:redo",
    "add_take": "edit_calls:add_take",
    "use_take": "edit_calls:use_take",
    "delete_take": "edit_calls:delete_take",
    "export_key": "key_calls:export_key",
    "put_key": "key_calls:put_key",
    "remove_key": "key_calls:remove_key",
    "import_painted": "key_calls:import_painted",
    "inputs": "picture_calls:inputs",
    "sheet": "picture_calls:sheet",
    "picture": "picture_calls:picture",
    "states": "state_calls:states",
    "run": "run_calls:run",
    "preview": "run_calls:preview",
    "export": "run_calls:export",
    "plan": "plan_calls:plan",
    "stylize": "stylize_calls:stylize",
    "seeds": "stylize_calls:seeds",
}
"""Name of a call → "module:function" in this package; the function takes a Call."""

_NICENESS = 5
"""Of a process in the background: scrubbing stays smooth while a run uses all cores."""

_SECONDS_TO_STOP = 60.0
"""After which a process that was told to end, ends."""


def main() -> None:
    """Answer calls until stdin is closed."""
    if "--background" in sys.argv and hasattr(os, "nice"):
        os.nice(_NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this one
    prepare_kernel_cache()  # before a kernel is imported
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints must not stand between the messages
    lock = threading.Lock()

    def send(message: dict[str, Any]) -> None:
        with lock, contextlib.suppress(OSError):  # the server may be gone
            _write(output, message)

    _answer(send)


def _write(output: BinaryIO, message: dict[str, Any]) -> None:
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[output.write(data) :]


def _answer(send: Send) -> None:
    calls: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    cancels: dict[int, CancelToken] = {}
    threading.Thread(target=_read, args=(calls, cancels), daemon=True).start()
    while (message := calls.get()) is not None:
        number = message["id"]
        cancel = cancels[number]
        try:
            call = Call(message.get("arguments", {}), cancel, number, send)
            result = _function(message["call"])(call)
            send({"id": number, "result": result})
        except BaseException as error:  # one call that fails does not end the process
            send({"id": number, "error": error_facts(error, message["call"])})
        finally:
            cancels.pop(number, None)


def _read(calls: queue.SimpleQueue[dict[str, Any] | None], cancels: dict[int, CancelToken]) -> None:
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "cancel" in message:
            if message["cancel"] in cancels:
                cancels[message["cancel"]].cancel()
            continue
        cancels[message["id"]] = CancelToken()
        calls.put(message)
    for cancel in list(cancels.values()):
        cancel.cancel()
    calls.put(None)
    timer = threading.Timer(_SECONDS_TO_STOP, os._exit, (1,))
    timer.daemon = True
    timer.start()


def _function(name: str) -> Any:
    module, _, function = CALLS[name].partition(":")
    return getattr(importlib.import_module(f"kadr.studio.worker.{module}"), function)


if __name__ == "__main__":
    main()
