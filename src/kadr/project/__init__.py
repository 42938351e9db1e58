"""Projects: a folder that people can read, with a clip, its keys, settings, work and output."""
