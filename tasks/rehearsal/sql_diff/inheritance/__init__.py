"""Partitions and inheritance children: what their parents decide, and the steps for them."""
