"""The names by which people choose how a video is encoded."""

from __future__ import annotations

CODECS = ("h264", "h265", "av1", "vp9", "prores422", "prores4444", "ffv1")
"""Codecs of video files; which of them a file can hold depends on its type."""

ENCODER_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)
"""Presets of libx264 and libx265, from fast encoding to small files."""

DEPTHS = (8, 10, 16)
"""Bits of a channel: 10 for video, 16 for images."""
