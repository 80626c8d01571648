"""The run form: fields made from a parameter schema."""
