"""Model files in, networks ready to run out."""
