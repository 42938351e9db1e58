"""Guided patch synthesis of one frame: a style and its guides in, image, nnf and error out."""

from kadr.synth.prepare import Guide, Prepared, Source, Synthesis, prepare
from kadr.synth.synthesize import synthesize

__all__ = ["Guide", "Prepared", "Source", "Synthesis", "prepare", "synthesize"]
