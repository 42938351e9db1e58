"""Styles carried over every frame of a span: one forward and one backward pass per key."""

from kadr.propagate.span import KeyStyle, PassFrame, PassState, propagate

__all__ = ["KeyStyle", "PassFrame", "PassState", "propagate"]
