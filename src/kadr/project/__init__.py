"""Projects: a folder with a clip, its keys, settings, work files and output."""
