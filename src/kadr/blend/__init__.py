"""Blend the versions of a frame that several passes produced into one."""
