"""The empty body of a migration whose name does not determine its statements, with an example as the next step."""

from __future__ import annotations

import re

from tasks.templates.bodies import Body

_CHANGE = """\
-- NOT WRITTEN YET: write the change here in place of this line. While it is here, the tool refuses to run this file.
"""

_INVERSE = """\
-- NOT WRITTEN YET: write here what reverts the up file, in place of these lines. While they are here, the tool refuses to
-- roll back this migration. If it cannot be rolled back, write instead: -- migrate: irreversible REASON
"""

_EXAMPLES = (
    ("drop_not_null|remove_not_null|nullable|optional", "ALTER TABLE … ALTER COLUMN … DROP NOT NULL;"),
    (
        "(?:drop|remove|delete)_(?:.*_)?(?:fk|foreign_key|constraint|check|unique|primary_key)",
        "ALTER TABLE … DROP CONSTRAINT …;\nIn the down file: ALTER TABLE … ADD CONSTRAINT … NOT VALID;",
    ),
    (
        "check|checks",
        "ALTER TABLE … ADD CONSTRAINT …_check CHECK (…) NOT VALID;"
        "\nIn a second migration, which does not block writes: ALTER TABLE … VALIDATE CONSTRAINT …_check;",
    ),
    (
        "fk|fks|foreign|ref|reference|references",
        "ALTER TABLE … ADD CONSTRAINT …_fkey FOREIGN KEY (…) REFERENCES … (id) NOT VALID;"
        "\nIn a second migration, which does not block writes: ALTER TABLE … VALIDATE CONSTRAINT …_fkey;",
    ),
    (
        "not_null|required|mandatory",
        "ALTER TABLE … ADD CONSTRAINT …_is_not_null CHECK (… IS NOT NULL) NOT VALID;"
        "\nIn a second migration, which does not block writes: ALTER TABLE … VALIDATE CONSTRAINT …_is_not_null;"
        "\nALTER TABLE … ALTER COLUMN … SET NOT NULL; ALTER TABLE … DROP CONSTRAINT …_is_not_null;",
    ),
    (
        "unique|uniqueness",
        "CREATE UNIQUE INDEX CONCURRENTLY …_key ON … (…);\nALTER TABLE … ADD CONSTRAINT …_key UNIQUE USING INDEX …_key;",
    ),
    ("drop_index|remove_index|drop_idx", "DROP INDEX CONCURRENTLY …;\nIn the down file: CREATE INDEX CONCURRENTLY … ON … (…);"),
    ("index|indexes|indices|idx", "CREATE INDEX CONCURRENTLY … ON … (…);\nIn the down file: DROP INDEX CONCURRENTLY …;"),
    ("policy|policies|rls", "ALTER TABLE … ENABLE ROW LEVEL SECURITY;\nCREATE POLICY … ON … FOR SELECT USING (…);"),
    ("enum|enums", "CREATE TYPE … AS ENUM ('…');\nA new label: ALTER TYPE … ADD VALUE '…'; it cannot be used in the same file."),
    (
        "type|types",
        "ALTER TABLE … ALTER COLUMN … TYPE … USING …::…;\nMost changes of a type rewrite the table, and block reads meanwhile.",
    ),
    (
        "default|defaults",
        "ALTER TABLE … ALTER COLUMN … SET DEFAULT …;\nIn the down file: ALTER TABLE … ALTER COLUMN … DROP DEFAULT;",
    ),
    ("trigger|triggers", "CREATE TRIGGER … BEFORE UPDATE ON … FOR EACH ROW EXECUTE FUNCTION …();"),
    ("function|functions", "CREATE FUNCTION …() RETURNS … LANGUAGE sql AS $$ … $$;"),
    ("view|views", "CREATE VIEW … AS SELECT …;"),
    ("extension|extensions", "CREATE EXTENSION IF NOT EXISTS …;"),
    ("rename", "ALTER TABLE … RENAME COLUMN … TO …;\nA table: ALTER TABLE … RENAME TO …;"),
    (
        "backfill|fill|populate",
        "With `-- migrate: no-transaction` at the top of the file, each statement commits on its own, as in:"
        "\nUPDATE … SET … = … WHERE id IN (SELECT id FROM … WHERE … IS NULL LIMIT 10000);",
    ),
)
"""Words of a name, and what such a migration often contains; the first that fits is shown."""


def write_empty_body(description: str, reason: str = "") -> Body:
    """Return the body for a description: comments only, with which a run refuses the file until it is written."""
    example = next((text for words, text in _EXAMPLES if re.search(rf"(?:\A|_)(?:{words})(?:_|\Z)", description)), "")
    shown = "".join(f"--   {line}\n" for line in example.splitlines())
    why = f"-- It is empty because {reason}.\n" if reason else ""
    return Body(_CHANGE + why + (f"-- For example:\n{shown}" if shown else ""), _INVERSE)
