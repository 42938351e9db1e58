"""What the studio's child processes do: everything that reads pictures or computes."""
