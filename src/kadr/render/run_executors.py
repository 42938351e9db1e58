"""The executors of a run: which one its options and its length ask for; Ray is connected once."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kadr.core.closing import Closing
from kadr.core.row_bands import default_threads
from kadr.files import move_file, write_error
from kadr.options import INLINE, PROCESSES, RAY, RunOptions
from kadr.storage.frame_folder import FrameFolder
from kadr.storage.layout import WorkLayout
from kadr.tasks.executor import Executor
from kadr.tasks.inline_executor import InlineExecutor

if TYPE_CHECKING:
    from kadr.tasks.ray_connection import RayConnection
    from kadr.tasks.ray_executor import RayExecutor

SMALL = 12e6
"""Pixels of pass frames below which starting processes takes longer than they save."""


class RunExecutors(Closing):
    """Makes the executors of a run. ``name`` is that of the last one; "" before.

    With Ray, finished frames are put into a folder of this run and only this process moves them to
    their place: a worker that was given up as lost may still write when another run has begun.
    """

    def __init__(self, options: RunOptions, layout: WorkLayout, clip: str) -> None:
        """clip: the clip's path. Raises OptionsError or BackendError if there is no Ray."""
        self._options, self._layout, self._clip = options, layout, clip
        self._cores = options.threads or default_threads()
        self._ray: RayExecutor | None = None
        self._handed_in: Path | None = None
        self.connection: RayConnection | None = None
        """To Ray, if the run uses it."""
        self.name = ""
        if options.executor == RAY:
            from kadr.tasks.ray_connection import RayConnection

            self.connection = RayConnection(self._cores, options.address)

    @contextlib.contextmanager
    def executor(self, pixels: int) -> Iterator[Executor]:
        """The executor for passes of so many pixels in all, in a with block."""
        if self.connection is not None:
            self.name = RAY
            yield self._ray_executor(self.connection)
            return
        workers = self._options.workers
        short = workers is None and pixels < SMALL
        self.name = self._options.executor or (INLINE if short else PROCESSES)
        if self.name == INLINE:
            with InlineExecutor(self._cores) as inline:
                yield inline
            return
        from kadr.tasks.process_executor import ProcessExecutor

        with ProcessExecutor(self._cores, workers=workers) as processes:
            yield processes

    def _ray_executor(self, connection: RayConnection) -> RayExecutor:
        """The one executor of Ray: its workers stay until the run ends."""
        if self._ray is None:
            from kadr.tasks.ray_executor import RayExecutor

            self._ray = RayExecutor(
                self._options.threads,
                workers=self._options.workers,
                connection=connection,
                shared_paths=self.shared_paths(),
            )
        return self._ray

    def shared_paths(self) -> list[Path]:
        """What each worker has to see: a folder whose name no other machine has, and the clip."""
        clip = Path(self._clip)
        return [self._hand_in_folder(), *([clip] if clip.exists() else [])]

    def folder_for(self, frames: FrameFolder) -> Path:
        """Where tasks put finished frames."""
        return frames.folder if self.connection is None else self._hand_in_folder()

    def take_over(self, name: str, frames: FrameFolder) -> None:
        """Move a finished frame that a task put to its place. Raises OutputError."""
        if self.connection is None:
            return  # it is there already
        target = frames.folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            move_file(self._hand_in_folder() / name, target)
        except OSError as error:
            raise write_error(target, error) from error

    def _hand_in_folder(self) -> Path:
        if self._handed_in is None:
            shutil.rmtree(self._layout.handed_in, ignore_errors=True)  # of a run that was killed
            self._handed_in = self._layout.handed_in / secrets.token_hex(8)
            try:
                self._handed_in.mkdir(parents=True)
            except OSError as error:
                raise write_error(self._handed_in, error) from error
        return self._handed_in

    def close(self) -> None:
        """End the workers of Ray, leave it, and delete what was not taken over."""
        if self._ray is not None:
            self._ray.close()
        if self.connection is not None:
            self.connection.close()
        if self._handed_in is not None:
            shutil.rmtree(self._layout.handed_in, ignore_errors=True)
