"""Guided patch synthesis of one frame: a style and its guides in, image, nnf and error out."""

from kadr.synth.prepare import Prepared, prepare
from kadr.synth.synthesize import synthesize
from kadr.synth.values import Guide, StyleSource, Synthesis

__all__ = ["Guide", "Prepared", "StyleSource", "Synthesis", "prepare", "synthesize"]
