"""Temporal consistency: what a frame takes over from the frames before it and from other keys."""
