"""Tables and columns that are created again: their rows are copied, converted and kept, or lost."""
