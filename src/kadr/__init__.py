"""kadr: restyle a video from a few painted frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_MODULES = {
    "kadr.pipeline": ("RunResult", "restyle", "restyle_events"),
    "kadr.preview": ("preview_frames",),
    "kadr.dry_run": ("make_dry_run",),
    "kadr.compare": ("compare_methods",),
    "kadr.seed_grid": ("make_seed_grid",),
    "kadr.options": ("PropagateOptions", "RunOptions", "SynthOptions", "detail_options"),
    "kadr.plan.survey": ("survey_clip",),
    "kadr.plan.keyframes": ("choose_keyframes",),
    "kadr.plan.shots": ("find_shots",),
    "kadr.stylize.registry": ("create_stylizer", "stylizer_names"),
    "kadr.synth": ("Guide", "StyleSource", "Synthesis", "prepare", "synthesize"),
    "kadr.video.base": ("Clip",),
    "kadr.video.clips": ("create_clip", "open_clip"),
    "kadr.image_files": ("read_image", "write_image"),
    "kadr.project.create": ("new_project",),
    "kadr.project.folder": ("open_project",),
    "kadr.core.frames": ("Frame", "FrameRange", "Span"),
    "kadr.core.events": ("CancelToken", "Event"),
    "kadr.errors": (
        "BackendError",
        "Cancelled",
        "InputError",
        "KadrError",
        "OptionsError",
        "OutputError",
        "ResumeError",
    ),
}
"""Module → its public names; loaded when first asked for, so that ``import kadr`` stays light."""

_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

if TYPE_CHECKING:
    from kadr.compare import compare_methods
    from kadr.core.events import CancelToken, Event
    from kadr.core.frames import Frame, FrameRange, Span
    from kadr.dry_run import make_dry_run
    from kadr.errors import (
        BackendError,
        Cancelled,
        InputError,
        KadrError,
        OptionsError,
        OutputError,
        ResumeError,
    )
    from kadr.image_files import read_image, write_image
    from kadr.options import PropagateOptions, RunOptions, SynthOptions, detail_options
    from kadr.pipeline import RunResult, restyle, restyle_events
    from kadr.plan.keyframes import choose_keyframes
    from kadr.plan.shots import find_shots
    from kadr.plan.survey import survey_clip
    from kadr.preview import preview_frames
    from kadr.project.create import new_project
    from kadr.project.folder import open_project
    from kadr.seed_grid import make_seed_grid
    from kadr.stylize.registry import create_stylizer, stylizer_names
    from kadr.synth import Guide, StyleSource, Synthesis, prepare, synthesize
    from kadr.video.base import Clip
    from kadr.video.clips import create_clip, open_clip

__all__ = [
    "BackendError",
    "CancelToken",
    "Cancelled",
    "Clip",
    "Event",
    "Frame",
    "FrameRange",
    "Guide",
    "InputError",
    "KadrError",
    "OptionsError",
    "OutputError",
    "PropagateOptions",
    "ResumeError",
    "RunOptions",
    "RunResult",
    "Span",
    "StyleSource",
    "SynthOptions",
    "Synthesis",
    "__version__",
    "choose_keyframes",
    "compare_methods",
    "create_clip",
    "create_stylizer",
    "detail_options",
    "find_shots",
    "make_dry_run",
    "make_seed_grid",
    "new_project",
    "open_clip",
    "open_project",
    "prepare",
    "preview_frames",
    "read_image",
    "restyle",
    "restyle_events",
    "stylizer_names",
    "survey_clip",
    "synthesize",
    "write_image",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'kadr' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
