"""kadr: restyle a video from a few painted frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_MODULES = {
    "kadr.comparison": ("Comparison", "Measures", "Way", "compare"),
    "kadr.seeds": ("Trial", "seed_sheet", "try_seeds"),
    "kadr.survey": ("survey_clip",),
    "kadr.plan.coverage": ("Survey",),
    "kadr.plan.keyframes": ("choose_keyframes",),
    "kadr.plan.next_key": ("next_key",),
    "kadr.plan.shots": ("find_shots",),
    "kadr.pipeline": ("RunResult", "restyle", "restyle_events"),
    "kadr.options": ("PropagateOptions", "RunOptions", "SynthOptions", "detail_options"),
    "kadr.synth": ("Guide", "Prepared", "Source", "Synthesis", "prepare", "synthesize"),
    "kadr.run.compiling": ("on_first_compile",),
    "kadr.video.clips": ("ENCODER_PRESETS", "create_clip", "open_clip"),
    "kadr.video.base": ("Clip", "ClipInfo", "ClipWriter"),
    "kadr.video.plan_sheet": ("plan_sheet",),
    "kadr.video.convert": ("encode_frames", "extract_frames"),
    "kadr.stylize.external": ("find_keys",),
    "kadr.stylize.like": ("Like", "settings_like"),
    "kadr.stylize.registry": ("create_stylizer", "stylizer_names", "stylizer_options"),
    "kadr.project.cache": ("cache_folder", "cache_root", "surveys_folder"),
    "kadr.project.clean": ("WorkFiles", "cached_work", "delete_work_files", "find_work_files"),
    "kadr.project.create": ("new_project",),
    "kadr.project.folder": (
        "FoundClip",
        "ProjectFolder",
        "is_project",
        "open_project",
    ),
    "kadr.project.numbers": ("with_numbers",),
    "kadr.project.presets": ("Preset", "preset_names", "read_preset"),
    "kadr.project.trim": ("trim_caches",),
    "kadr.report.html": ("write_report",),
    "kadr.report.record": ("RunRecord", "read_record"),
    "kadr.video.identity": ("clip_identity",),
    "kadr.work.forecast": ("Forecast", "Redone", "forecast"),
    "kadr.work.preview": ("PreviewResult", "preview"),
    "kadr.exchange.ebs": (
        "EbsProject",
        "EbsRange",
        "EbsTail",
        "EbsWeights",
        "read_ebs",
        "write_ebs",
    ),
    "kadr.exchange.exported": ("export_ebs",),
    "kadr.exchange.frames": (
        "export_frames",
        "key_numbers",
    ),
    "kadr.exchange.imported": ("import_project",),
    "kadr.files": ("read_image", "write_image"),
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
    from kadr.comparison import Comparison, Measures, Way, compare
    from kadr.core.events import CancelToken, Event
    from kadr.core.frames import Frame, FrameRange, Span
    from kadr.errors import (
        BackendError,
        Cancelled,
        InputError,
        KadrError,
        OptionsError,
        OutputError,
        ResumeError,
    )
    from kadr.exchange.ebs import EbsProject, EbsRange, EbsTail, EbsWeights, read_ebs, write_ebs
    from kadr.exchange.exported import export_ebs
    from kadr.exchange.frames import export_frames, key_numbers
    from kadr.exchange.imported import import_project
    from kadr.files import read_image, write_image
    from kadr.options import PropagateOptions, RunOptions, SynthOptions, detail_options
    from kadr.pipeline import RunResult, restyle, restyle_events
    from kadr.plan.coverage import Survey
    from kadr.plan.keyframes import choose_keyframes
    from kadr.plan.next_key import next_key
    from kadr.plan.shots import find_shots
    from kadr.project.cache import cache_folder, cache_root, surveys_folder
    from kadr.project.clean import WorkFiles, cached_work, delete_work_files, find_work_files
    from kadr.project.create import new_project
    from kadr.project.folder import FoundClip, ProjectFolder, is_project, open_project
    from kadr.project.numbers import with_numbers
    from kadr.project.presets import Preset, preset_names, read_preset
    from kadr.project.trim import trim_caches
    from kadr.report.html import write_report
    from kadr.report.record import RunRecord, read_record
    from kadr.run.compiling import on_first_compile
    from kadr.seeds import Trial, seed_sheet, try_seeds
    from kadr.stylize.external import find_keys
    from kadr.stylize.like import Like, settings_like
    from kadr.stylize.registry import create_stylizer, stylizer_names, stylizer_options
    from kadr.survey import survey_clip
    from kadr.synth import Guide, Prepared, Source, Synthesis, prepare, synthesize
    from kadr.video.base import Clip, ClipInfo, ClipWriter
    from kadr.video.clips import ENCODER_PRESETS, create_clip, open_clip
    from kadr.video.convert import encode_frames, extract_frames
    from kadr.video.identity import clip_identity
    from kadr.video.plan_sheet import plan_sheet
    from kadr.work.forecast import Forecast, Redone, forecast
    from kadr.work.preview import PreviewResult, preview

__all__ = [
    "ENCODER_PRESETS",
    "BackendError",
    "CancelToken",
    "Cancelled",
    "Clip",
    "ClipInfo",
    "ClipWriter",
    "Comparison",
    "EbsProject",
    "EbsRange",
    "EbsTail",
    "EbsWeights",
    "Event",
    "Forecast",
    "FoundClip",
    "Frame",
    "FrameRange",
    "Guide",
    "InputError",
    "KadrError",
    "Like",
    "Measures",
    "OptionsError",
    "OutputError",
    "Prepared",
    "Preset",
    "PreviewResult",
    "ProjectFolder",
    "PropagateOptions",
    "Redone",
    "ResumeError",
    "RunOptions",
    "RunRecord",
    "RunResult",
    "Source",
    "Span",
    "Survey",
    "SynthOptions",
    "Synthesis",
    "Trial",
    "Way",
    "WorkFiles",
    "__version__",
    "cache_folder",
    "cache_root",
    "cached_work",
    "choose_keyframes",
    "clip_identity",
    "compare",
    "create_clip",
    "create_stylizer",
    "delete_work_files",
    "detail_options",
    "encode_frames",
    "export_ebs",
    "export_frames",
    "extract_frames",
    "find_keys",
    "find_shots",
    "find_work_files",
    "forecast",
    "import_project",
    "is_project",
    "key_numbers",
    "new_project",
    "next_key",
    "on_first_compile",
    "open_clip",
    "open_project",
    "plan_sheet",
    "prepare",
    "preset_names",
    "preview",
    "read_ebs",
    "read_image",
    "read_preset",
    "read_record",
    "restyle",
    "restyle_events",
    "seed_sheet",
    "settings_like",
    "stylizer_names",
    "stylizer_options",
    "survey_clip",
    "surveys_folder",
    "synthesize",
    "trim_caches",
    "try_seeds",
    "with_numbers",
    "write_ebs",
    "write_image",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'kadr' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
