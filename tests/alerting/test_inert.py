"""The text of an alert is inert for every chat service, and commands in it can be copied."""

import re

import pytest

from tasks.alerting.inert import make_inert

SERVICES = {
    "Discord": r"@everyone|@here|<@!?\d+>|<@&\d+>|<#\d+>|<a?:\w+:\d+>|</\w+:\d+>|\[[^\]]*\]\([^)]*\)|https?://\S+",
    "Slack": r"<[@#!][^>]+>|<!?\w[^>|]*\|[^>]*>|<https?://|@(?:channel|here|everyone)\b|https?://|!(?:channel|here|everyone)\b",
    "Telegram": r"@\w{4,}|<a\b|</\w|https?://|tg://|www\.",
    "Teams": r"\[[^\]]*\]\([^)]*\)|<at>|<a\b|https?://|mailto:\w",
    "Mattermost": r"@(?:all|channel|here)\b|\[[^\]]*\]\[|\]:|https?://",
    "Matrix": r"@room|<a\b|https?://",
    "Zulip": r"@\*\*\w+\*\*|@_\*\*",
    "Google Chat": r"<users/\w+>|<https?:",
    "mail": r"<\w+[^>]*>|mailto:\w|javascript:\w",
}
TEXT = """@everyone @here @channel @all @room @**all** @_**all** <@123456789012345678> <@!12> <@&12> <#12> <!channel> <!here|here>
!channel> @U123> <!subteam^S1> <users/all> <at>x</at> <a href="http://x">y</a> <img src=x> <:party:123> </run:12> @user_name
[text](http://x) [text](//x) [text][ref] [ref]: http://x <http://x|text> <https://x> https://x HTTP://X tg://x www.example.com
mailto:a@example.com javascript:alert(1) @@everyone <<!channel> a@everyone"""
KEPT = [
    "SELECT a FROM b WHERE c @> d AND e <@ f AND g <> h AND i <= j AND k @@ l AND NOT m != n;",
    "SELECT pg_terminate_backend(1);",
    "inv db.history --env=staging",
    "UPDATE t SET a = b[1] WHERE c::text = 'x' AND d < 3 AND e->>'f' = 'g';",
    "anna on host.example.com, line 3: 12:30:00 UTC",
]


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_finds_a_mention_a_link_or_a_tag(service: str) -> None:
    assert re.search(SERVICES[service], TEXT, re.IGNORECASE)
    assert re.findall(SERVICES[service], make_inert(TEXT), re.IGNORECASE) == []
    assert make_inert(TEXT).replace("\u200b", "") == TEXT


@pytest.mark.parametrize("text", KEPT)
def test_commands_and_sql_stay_as_they_are(text: str) -> None:
    assert make_inert(text) == text
