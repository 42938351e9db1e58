"""Temporal consistency: what a frame takes from previous frames and from other keys of its shot."""
