"""``kadr info`` and ``kadr stylizers``: print facts about a clip, and the known stylizers."""

from __future__ import annotations

from dataclasses import asdict, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from kadr.cli.field_options import describe, field_options, read_fields
from kadr.cli.flags import READING, ClipArgument, JsonObject
from kadr.cli.reporter import json_line
from kadr.cli.session import open_session
from kadr.options import RunOptions

if TYPE_CHECKING:
    from kadr.video.base import Clip


@field_options("reading", RunOptions, READING)
def info(
    clip: ClipArgument,
    reading: dict[str, Any],
    json: JsonObject = False,
) -> None:
    """Print facts about a clip: size, frames, rate, sound, codec."""
    with open_session(json=json) as session:
        from kadr.video.clips import open_clip

        with open_clip(clip, **read_fields(RunOptions, reading)) as opened:
            if json:
                print(json_line(_facts(opened)))
                return
            for name, value in _lines(opened).items():
                session.reporter.result(f"{name:<10}  {value}")


def _facts(clip: Clip) -> dict[str, Any]:
    facts = {name: _json_value(value) for name, value in asdict(clip.info).items()}
    facts["first_number"] = clip.number(0)
    facts["last_number"] = clip.number(len(clip) - 1)
    facts["frame_rate_exact"] = str(clip.info.frame_rate)
    return facts


def _json_value(value: object) -> object:
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, tuple):
        return list(value)
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _lines(clip: Clip) -> dict[str, str]:
    facts = clip.info
    size = f"{facts.width}×{facts.height}"
    if facts.rotation:
        size += f", stored rotated by {facts.rotation}°"
    if facts.sample_aspect_ratio != 1:
        size += f", pixels {facts.sample_aspect_ratio} as wide as high"
    constancy = "variable" if facts.variable_frame_rate else "constant"
    stored = [facts.container, facts.codec, facts.pixel_format, f"{facts.bits} bits per channel"]
    lines = {
        "path": str(facts.path),
        "kind": facts.kind,
        "size": size,
        "frames": f"{len(clip)}, numbered {clip.number(0)} to {clip.number(len(clip) - 1)}",
        "rate": f"{float(facts.frame_rate):.6g} frames per second, {constancy}",
        "duration": f"{float(facts.duration):.3f} s",
        "sound": "yes" if facts.has_audio else "no",
        "stored as": ", ".join(part for part in stored if part),
        "colour": f"{facts.color_matrix}, {'full' if facts.full_range else 'video'} range, "
        f"{facts.color_transfer}{', with alpha' if facts.has_alpha else ''}",
    }
    for position, notice in enumerate(facts.notices):
        lines["note" if not position else f"note {position + 1}"] = notice
    if facts.deinterlaced:
        lines["fields"] = f"deinterlaced, {facts.deinterlaced}"
    if facts.truncated:
        lines["damage"] = "the file is truncated; these are its good frames"
    return lines


def stylizers(json: JsonObject = False) -> None:
    """List the stylizers that can make keyframes, with their options."""
    with open_session(json=json):
        from kadr.stylize.registry import stylizer_names, stylizer_options

        options = {name: fields(stylizer_options(name)) for name in stylizer_names()}
        if json:
            listed = {
                name: {item.name: describe(item) for item in items}
                for name, items in options.items()
            }
            print(json_line(listed))
            return
        for name, items in options.items():
            print(name)
            width = max(len(item.name) for item in items)
            for item in items:
                print(f"  {item.name:<{width}}  {describe(item)}")
