"""Which known word a misspelt one is near to."""

import pytest

from tasks.runner.spelling import nearest, propose

WORDS = ("local", "dev", "staging", "prod", "no-transaction", "--dry-run", "db.migrate", "db.rollback")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("stagin", "staging"),
        ("stg", "staging"),
        ("PROD", "prod"),
        ("production", "prod"),
        ("no-transactions", "no-transaction"),
        ("--dryrun", "--dry-run"),
        ("--dry", "--dry-run"),
        ("db.migrat", "db.migrate"),
        ("db:migrate", "db.migrate"),
        ("db.rolback", "db.rollback"),
        ("xyz", ""),
        ("", ""),
    ],
)
def test_the_nearest_word_is_the_most_similar_one_if_it_is_similar_enough(word: str, expected: str) -> None:
    assert nearest(word, WORDS) == expected


def test_without_a_lowest_similarity_there_is_always_a_nearest_word_and_without_words_never() -> None:
    assert nearest("xyz", WORDS, least=0) in WORDS
    assert nearest("prod", ()) == ""


def test_a_proposal_is_a_question_or_nothing() -> None:
    assert propose("stagin", WORDS) == "Did you mean staging?"
    assert propose("xyz", WORDS) == ""
