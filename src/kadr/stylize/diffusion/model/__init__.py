"""Model files in, networks that are ready to run out."""
