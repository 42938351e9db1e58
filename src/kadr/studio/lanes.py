"""Calls to child processes: one process a lane, one call at a time, the most urgent first."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kadr.errors import KadrError

OnEvent = Callable[[dict[str, Any]], None]

_LONGEST_LINE = 64 << 20
"""Bytes of a message: a project of many thousand frames is described in one."""
_IDLE_SECONDS = 180.0
"""After which a process without calls is ended, to free its memory."""
_STOP_SECONDS = 30.0
"""That a call may take to stop after it was cancelled; its process is killed then."""


class CallError(KadrError):
    """A call failed. facts: ``kind``, ``message`` and ``remedy`` for the page."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        super().__init__(str(facts["message"]))
        self.facts = dict(facts)

    @property
    def is_cancelled(self) -> bool:
        """Whether the call was stopped on request."""
        return bool(self.facts["kind"] == "Cancelled")


@dataclass(order=True)
class LaneCall:
    """A call that waits or runs; ``cancel`` it through its lane."""

    priority: int
    number: int
    name: str = field(compare=False)
    arguments: dict[str, Any] = field(compare=False)
    on_event: OnEvent | None = field(compare=False)
    on_start: Callable[[], None] | None = field(compare=False)
    result: asyncio.Future[Any] = field(compare=False)


class Lane:
    """A child process that is started when needed, and started again if it dies."""

    def __init__(self, *, in_background: bool = False) -> None:
        """in_background: its process leaves the cores to others, such as the server, first."""
        self._calls: asyncio.PriorityQueue[LaneCall] = asyncio.PriorityQueue()
        self._numbers = itertools.count(1)
        self._words = ["--background"] if in_background else []
        self._process: asyncio.subprocess.Process | None = None
        self._current: LaneCall | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def process_id(self) -> int | None:
        """The number of the running process."""
        return None if self._process is None else self._process.pid

    def start(
        self,
        name: str,
        arguments: Mapping[str, Any],
        *,
        priority: int = 0,
        on_event: OnEvent | None = None,
        on_start: Callable[[], None] | None = None,
    ) -> LaneCall:
        """Queue a call; its ``result`` is awaited elsewhere. Calls of low priority come first."""
        if self._task is None:
            self._task = asyncio.create_task(self._serve())
        number = next(self._numbers)
        result = asyncio.get_running_loop().create_future()
        call = LaneCall(priority, number, name, dict(arguments), on_event, on_start, result)
        self._calls.put_nowait(call)
        return call

    async def call(self, name: str, arguments: Mapping[str, Any], **settings: Any) -> Any:
        """Queue a call and wait for its result. Raises CallError."""
        call = self.start(name, arguments, **settings)
        try:
            return await call.result
        except asyncio.CancelledError:
            self.cancel(call)
            raise

    def cancel(self, call: LaneCall) -> None:
        """Stop a call: at once if it waits, at its next frame if it runs."""
        if call is self._current and self._process is not None:
            self._send({"cancel": call.number})
            asyncio.get_running_loop().call_later(_STOP_SECONDS, self._kill_if_current, call)
        elif not call.result.done():
            call.result.set_exception(CallError(_cancelled()))
            call.result.exception()  # read here: nobody may wait for it

    async def close(self) -> None:
        """End the process and all calls."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._end_process()

    def _kill_if_current(self, call: LaneCall) -> None:
        if call is self._current and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _serve(self) -> None:
        while True:
            try:
                call = await asyncio.wait_for(self._calls.get(), _IDLE_SECONDS)
            except TimeoutError:
                await self._end_process()
                continue
            if call.result.done():
                continue
            self._current = call
            try:
                await self._carry_out(call)
            except BaseException as error:
                if not call.result.done():
                    facts = _cancelled() if isinstance(error, asyncio.CancelledError) else None
                    call.result.set_exception(CallError(facts or _lost(str(error))))
                    call.result.exception()
                if not isinstance(error, Exception):
                    raise
            finally:
                self._current = None

    async def _carry_out(self, call: LaneCall) -> None:
        if call.on_start is not None:
            call.on_start()
        process = await self._running_process()
        self._send({"id": call.number, "call": call.name, "arguments": call.arguments})
        assert process.stdout is not None
        while True:
            line = await process.stdout.readline()
            if not line:
                await process.wait()
                self._process = None
                raise RuntimeError(f"its process ended (exit code {process.returncode})")
            message = json.loads(line)
            if message["id"] != call.number:
                continue
            if "event" in message:
                if call.on_event is not None:
                    call.on_event(message["event"])
                continue
            if not call.result.done():
                if "error" in message:
                    call.result.set_exception(CallError(message["error"]))
                    call.result.exception()
                else:
                    call.result.set_result(message["result"])
            return

    async def _running_process(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "kadr.studio.worker",
                *self._words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None if os.environ.get("KADR_DEBUG") else subprocess.DEVNULL,
                limit=_LONGEST_LINE,
                # Ctrl-C in the terminal is for the server
                start_new_session=os.name != "nt",
            )
        return self._process

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(ConnectionError, RuntimeError):
                self._process.stdin.write(json.dumps(message).encode() + b"\n")

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS / 3)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _cancelled() -> dict[str, Any]:
    return {"kind": "Cancelled", "message": "stopped", "remedy": None}


def _lost(cause: str) -> dict[str, Any]:
    message = f"the computation was lost: {cause or 'unknown cause'}; start it again"
    return {"kind": "Fault", "message": message, "remedy": None}
