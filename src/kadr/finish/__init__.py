"""Finished passes into finished frames."""
