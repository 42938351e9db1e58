"""The folder of a project in, its settings and its clip out; no clip if it cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kadr.core.frames import FrameRange
from kadr.core.parsing import parse_frames
from kadr.project.folder import LocatedClip, ProjectFolder, open_project
from kadr.studio.worker.call import Call
from kadr.studio.worker.clip_facts import ClipFacts, clip_facts


@dataclass(frozen=True)
class OpenFolder:
    """A project that a call works on. ``view``: the layer that its keys are those of."""

    project: ProjectFolder
    view: ProjectFolder
    located: LocatedClip
    clip: ClipFacts

    @property
    def root(self) -> Path:
        """The folder."""
        return self.project.root

    @property
    def frames(self) -> FrameRange:
        """The frames of a run."""
        text = self.project.settings.frames
        return FrameRange(0, len(self.clip)) if text is None else parse_frames(text, self.clip)

    @property
    def paint(self) -> Path:
        """The folder of frames that were exported to be painted."""
        return self.root / "plan" / "to-paint" / self.view.layer

    @property
    def key_offset(self) -> int:
        """What is added to numbers in the names of keys."""
        return int((self.view.settings.run or {}).get("key_offset", 0))

    @property
    def fit_keys(self) -> bool:
        """Whether keys of another size are resized."""
        return bool((self.view.settings.run or {}).get("fit_keys", False))

    @property
    def key_turn(self) -> int:
        """Degrees clockwise by which keys are turned."""
        turns = (self.view.settings.run or {}).get("rotate_keys", False)
        return self.clip.rotation if turns else 0


def open_folder(call: Call) -> OpenFolder:
    """The project of a call, with its clip. Raises what opening them raises."""
    project = open_project(Path(call["root"]))
    layer = call.get("layer") or (project.layers[0].layer if project.layers else "")
    view = project.find_layer(layer) if layer else project
    located = project.locate()
    return OpenFolder(project, view, located, clip_facts(project, located))
