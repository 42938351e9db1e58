"""Run many projects and clips with one command."""
