"""Which frames are keyframes, and which frames each keyframe styles."""
