"""The ``pencil`` stylizer: hatching along the forms, without any model."""
