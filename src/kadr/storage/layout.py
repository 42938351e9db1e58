"""Every file name in a work folder, in one place: those who write a file and clean-up agree.

A work folder holds::

    store/          results of tasks, one file an entry: passes, flow, stylized keys, mattes
    frames/         frames of the output, where a project has no folder of its own for them
    blended/        blended frames that are still to be refined
    handed-in/RUN/  finished frames of workers of a cluster, until the run moves them to their place
    noise/          noise that a stylizer found by inversion
    run.json        the record of the last run
    passes.json     what each pass was made from, to tell why one is stale
    clips.json      content hashes of clips, by size and time of change
    shots-*.json    cuts of the clip
    key-fit-*.json  how painted keys fit their frames
    survey-*.zip    what keyframes would explain, from planning
    masks-*.zip     where something is set in masks
    lock, lock.pid  the lock, and the process that holds it
    made-by-kadr.txt   the marker: without it the folder is not kadr's, and nothing is deleted
    keyframes/, every-frame/   in a comparison: one work folder for each method
    sparse/         in a run that fills frames in: the work folder of those made first
    studio/         pictures for the page of the studio, and its plan
    layers/NAME/    in a project with layers: one work folder for each of them
    .kadr-*         files that are being written; left over after a crash
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePath

from kadr.files import TEMPORARY_NAME

LOCK, LOCK_HOLDER, MARKER = "lock", "lock.pid", "made-by-kadr.txt"
SPARSE = "sparse"
"""The folder of the frames that a run makes before it fills in the others."""
METHODS = ("keyframes", "every-frame", SPARSE)
"""Folders of a comparison, and of a run that fills frames in, each of them a work folder."""
LAYERS = "layers"
"""The folder of the layers' work folders."""

_LOCK_FILES = "lock files"
_OWN_FILES = (LOCK, LOCK_HOLDER, MARKER)
STORED = "results of steps"
"""The kind of the store's files: fingerprints, and frame numbers below those of passes."""
FINISHED_FRAMES = "finished frames"
"""The kind of a frame's file; only the mark in the file tells whether kadr made it."""

_KINDS = {
    STORED: re.compile(
        r"store/([a-z]+/)?[0-9a-f]{32}(-[0-9a-f]{16})?(/\d{6,}(-\d+-\d+)?(-state)?)?\.zip"
    ),
    "noise from inversion": re.compile(r"noise/[0-9a-f]{32}\.npy"),
    "plans and records": re.compile(
        r"(run|clips|passes)\.json|(shots|key-fit)-[0-9a-f]{12}\.json|(survey|masks)-[0-9a-f]{32}\.zip"
    ),
    "left over from an interrupted run": re.compile(
        rf"((store|frames|blended|noise|studio|handed-in)/([^/]+/)*)?{TEMPORARY_NAME.pattern}"
        r"|handed-in/[0-9a-f]{16}/[^/]+\.png"
    ),
    "pictures for the studio": re.compile(
        r"studio/((input|sheets)/[0-9a-f]+|styled|preview|keys|full|seeds/\d+)/[\w-]+\.(jpg|png)"
        r"|studio/(plan[^/]*|previews)\.json"
    ),
    FINISHED_FRAMES: re.compile(r"(frames|blended)/[^/]+\.png"),
    _LOCK_FILES: re.compile("|".join(map(re.escape, _OWN_FILES))),
}
"""Kind of a file → its path in the work folder, in full."""


@dataclass(frozen=True)
class WorkLayout:
    """Where the files of the work folder ``folder`` are. None of them need exist."""

    folder: Path

    @property
    def store(self) -> Path:
        """The folder of the store."""
        return self.folder / "store"

    @property
    def frames(self) -> Path:
        """The folder of finished frames, where the run has no other place for them."""
        return self.folder / "frames"

    @property
    def blended(self) -> Path:
        """The folder of blended frames that are still to be refined."""
        return self.folder / "blended"

    @property
    def handed_in(self) -> Path:
        """The folder of finished frames that workers of a cluster made."""
        return self.folder / "handed-in"

    @property
    def noise(self) -> Path:
        """The folder where a stylizer may keep what took it long to find."""
        return self.folder / "noise"

    @property
    def record(self) -> Path:
        """The record of the last run."""
        return self.folder / "run.json"

    @property
    def pass_history(self) -> Path:
        """What each pass was made from."""
        return self.folder / "passes.json"

    @property
    def clips(self) -> Path:
        """Content hashes of clips."""
        return self.folder / "clips.json"

    def shots(self, fingerprint: str) -> Path:
        """The shots of a clip, by a fingerprint of its content and of the frames used."""
        return self.folder / f"shots-{fingerprint[:12]}.json"

    def key_fit(self, fingerprint: str) -> Path:
        """How painted keys fit, by a fingerprint of the clip and the keys."""
        return self.folder / f"key-fit-{fingerprint[:12]}.json"

    @staticmethod
    def survey_entry(fingerprint: str) -> str:
        """The entry of a survey in a store that lies in the work folder itself."""
        return f"survey-{fingerprint}"

    @staticmethod
    def masks_entry(fingerprint: str) -> str:
        """The entry of what was found in masks, in a store that lies in the work folder itself."""
        return f"masks-{fingerprint}"

    @property
    def lock(self) -> Path:
        """The lock file."""
        return self.folder / LOCK

    @property
    def lock_holder(self) -> Path:
        """The process id of the lock's holder."""
        return self.folder / LOCK_HOLDER

    @property
    def marker(self) -> Path:
        """The file that tells that the folder is kadr's."""
        return self.folder / MARKER

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of files in the work folder."""
        return self.store, self.frames, self.blended, self.handed_in, self.noise

    def layer(self, name: str) -> WorkLayout:
        """The work folder of one layer of a project."""
        return WorkLayout(self.folder / LAYERS / name)

    def method(self, name: str) -> WorkLayout:
        """The work folder of one of METHODS."""
        assert name in METHODS, name
        return WorkLayout(self.folder / name)


def nested_folder(relative: PurePath) -> PurePath | None:
    """The work folder inside the work folder that a path lies in: of a method, or of a layer."""
    count = 1 if relative.parts[0] in METHODS else 2 if relative.parts[0] == LAYERS else 0
    return PurePath(*relative.parts[:count]) if 0 < count < len(relative.parts) else None


def file_kind(relative: PurePath) -> str | None:
    """What kind of work file a path relative to the work folder is, by its name; None: not kadr's.

    The lock and the marker of the folder itself have no kind: they are deleted last, with it.
    """
    name = relative.as_posix()
    folder = nested_folder(relative)
    nested = name if folder is None else relative.relative_to(folder).as_posix()
    for kind, pattern in _KINDS.items():
        if pattern.fullmatch(nested):
            return None if kind == _LOCK_FILES and nested == name else kind
    return None
