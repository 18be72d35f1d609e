"""Tests of scratch databases and of what is rehearsed on them."""
