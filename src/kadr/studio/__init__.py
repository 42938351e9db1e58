"""The studio: a page in the browser on which a project is looked at, edited and run."""
