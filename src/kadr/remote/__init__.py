"""Read clips, keys and masks from object storage and web servers, and write films there."""
