"""A frame in, the image that a model or a server restyles out: size, mask, canvas, colour."""
