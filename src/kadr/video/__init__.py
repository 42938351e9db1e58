"""Files to frames and frames to files, with exact times and sound."""
