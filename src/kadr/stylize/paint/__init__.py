"""The ``paint`` stylizer: a filter of dabs and strokes, without any model."""
