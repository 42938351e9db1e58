"""How the steps come together in a run: plan, keys, passes, joins, and what is missing of them."""
