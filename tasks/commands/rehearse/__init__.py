"""Commands that rehearse on scratch databases."""
