"""The text of SQL without its secrets."""

from tasks.runner.masking.masked import EXAMPLE_URL, HIDDEN, Masked, find_in_urls, has_secrets, mask, mask_secrets

__all__ = ["EXAMPLE_URL", "HIDDEN", "Masked", "find_in_urls", "has_secrets", "mask", "mask_secrets"]
