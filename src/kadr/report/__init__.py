"""The report of a run: a record for programs (JSON) and a page for users (HTML)."""
