"""Headers of image files, read from their content and checked before anything is decoded."""
