"""Frames of several passes in, one blended frame out."""
