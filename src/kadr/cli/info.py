"""``kadr info`` and ``kadr stylizers``: what a clip is, and what can paint keyframes."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadr.cli.fields import describe
from kadr.cli.flags import AllowTruncated, ClipArgument
from kadr.cli.session import session

if TYPE_CHECKING:
    from kadr.video.base import Clip

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def info(
    clip: ClipArgument,
    allow_truncated: AllowTruncated = False,
    json: AsJson = False,
) -> None:
    """Say what a clip holds: size, frames, rate, sound, how it is stored."""
    with session(json=json):
        from kadr.video.clips import open_clip

        with open_clip(clip, allow_truncated=allow_truncated) as opened:
            if json:
                print(json_module.dumps(_facts(opened), ensure_ascii=False))
                return
            for name, value in _lines(opened).items():
                print(f"{name:<10}  {value}")


def _facts(clip: Clip) -> dict[str, Any]:
    facts = {name: _json_value(value) for name, value in asdict(clip.info).items()}
    facts["first_number"] = clip.number(0)
    facts["last_number"] = clip.number(len(clip) - 1)
    facts["frame_rate_exact"] = str(clip.info.frame_rate)
    return facts


def _json_value(value: object) -> object:
    if isinstance(value, Fraction):
        return float(value)
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _lines(clip: Clip) -> dict[str, str]:
    known = clip.info
    size = f"{known.width}×{known.height}"
    if known.rotation:
        size += f", stored turned by {known.rotation}°"
    if known.sample_aspect_ratio != 1:
        size += f", pixels {known.sample_aspect_ratio} as wide as high"
    steady = "varies" if known.variable_frame_rate else "steady"
    stored = [known.container, known.codec, known.pixel_format, f"{known.bits} bits a channel"]
    lines = {
        "path": str(known.path),
        "kind": known.kind,
        "size": size,
        "frames": f"{len(clip)}, numbered {clip.number(0)} to {clip.number(len(clip) - 1)}",
        "rate": f"{float(known.frame_rate):.6g} frames a second, {steady}",
        "duration": f"{float(known.duration):.3f} s",
        "sound": "yes" if known.has_audio else "no",
        "stored as": ", ".join(part for part in stored if part),
        "colour": f"{known.color_matrix}, {'full' if known.full_range else 'video'} range, "
        f"{known.color_transfer}{', with alpha' if known.has_alpha else ''}",
    }
    if known.truncated:
        lines["damage"] = "the file breaks off; these are its good frames"
    return lines


def stylizers(json: AsJson = False) -> None:
    """List what can make keyframes, with the options of each."""
    with session(json=json):
        from kadr.stylize.registry import stylizer_names, stylizer_options

        known = {name: fields(stylizer_options(name)) for name in stylizer_names()}
        if json:
            listed = {
                name: {item.name: describe(item) for item in items} for name, items in known.items()
            }
            print(json_module.dumps(listed, ensure_ascii=False))
            return
        for name, items in known.items():
            print(name)
            for item in items:
                print(f"  {item.name:<12}  {describe(item)}")
