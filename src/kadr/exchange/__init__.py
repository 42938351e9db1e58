"""Exchange with other programs: import and export of their project files and folders."""
