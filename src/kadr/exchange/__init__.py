"""Exchange with other programs: their project files and folders in, and out again."""
