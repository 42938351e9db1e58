"""Stylizers that ask a program which already runs: its HTTP interface in, stylized frames out."""
