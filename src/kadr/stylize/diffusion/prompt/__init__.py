"""A prompt in, encoded text out, as A1111 reads it."""
