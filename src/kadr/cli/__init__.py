"""The command line: arguments in, options out, the public library called, its events drawn."""
