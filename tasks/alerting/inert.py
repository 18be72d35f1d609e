"""Make a text inert for chat services: its characters look the same, and none of them is read as a mention, a link or a tag.

The text of an alert contains an error of the server and a statement, which others may have written. All services get the same
text, because each has a syntax of its own and apprise converts some of them into each other:

- mentions: `@everyone`, `@here`, `@all`, `@room`, `@**all**`, `<@123>`, `<!channel>` (also without `<`), `<users/all>`
- links: `[text](address)`, `[text][name]`, `<address|text>`, `https://…`, `mailto:…`, `www.…`
- tags of HTML

https://docs.slack.dev/messaging/formatting-message-text, https://docs.discord.com/developers/reference#message-formatting
"""

from __future__ import annotations

import re

_SPACE = "\u200b"
"""A character without width, which ends a mention or a link before it begins."""
_MARKS = re.compile(
    r"@(?=[^\s>@?=])"
    r"|<(?=[@#!]\S|[\w/:])"
    r"|!(?=\w)"
    r"|\](?=[(\[:])"
    r"|\w:(?=//)"
    r"|\b(?:mailto|tel|sms|xmpp|data|javascript):"
    r"|\bwww(?=\.)",
    re.IGNORECASE,
)


def make_inert(text: str) -> str:
    """Return a text in which no service finds a mention, a link or a tag; commands and SQL without these stay as they are."""
    return _MARKS.sub(lambda mark: mark[0] + _SPACE, text)
