"""Guided patch synthesis of one frame: style and guides in; image, nnf and error out."""

from kadr.synth.prepare import PreparedSources, prepare
from kadr.synth.synthesize import synthesize
from kadr.synth.types import Guide, StyleSource, Synthesis

__all__ = ["Guide", "PreparedSources", "StyleSource", "Synthesis", "prepare", "synthesize"]
