"""The text of SQL without its secrets."""

from tasks.postgres.masking.differences import diff_masked
from tasks.postgres.masking.masked import (
    LONG,
    Masked,
    find_in_urls,
    has_secrets,
    mask,
    mask_comment,
    mask_secrets,
    mask_urls,
    replace_spans,
)
from tasks.postgres.secret_words import EXAMPLE_URL, HIDDEN

__all__ = [
    "EXAMPLE_URL",
    "HIDDEN",
    "LONG",
    "Masked",
    "diff_masked",
    "find_in_urls",
    "has_secrets",
    "mask",
    "mask_comment",
    "mask_secrets",
    "mask_urls",
    "replace_spans",
]
