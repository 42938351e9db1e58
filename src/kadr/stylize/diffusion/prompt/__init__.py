"""A prompt in A1111's notation in, its encoded text out."""
