"""A frame and the picture that a model or a server works on: size, mask, canvas, colour."""
