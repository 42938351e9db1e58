"""Stylizers that send frames to a program that already runs, over its HTTP interface."""
