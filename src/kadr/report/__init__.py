"""What a run was, kept as a record that programs read and as a page that people look at."""
