"""What a squashed file keeps of its migrations, although Git, an editor or another role could change it."""

from tasks.rehearsal.scratch.server import ScratchServer
from tasks.squash.squash import plan_squash
from tests.kit.servers import Server
from tests.runner.operating import A, B, Operator


def test_carriage_returns_and_default_privileges_of_other_roles_are_kept(operator: Operator, embedded: Server) -> None:
    operator.write(A, r"CREATE TABLE a (t text CHECK (t <> E'\r')); INSERT INTO a VALUES (E'x\r\ny'), (E'\\\r''z');")
    operator.write(B, "ALTER DEFAULT PRIVILEGES FOR ROLE pg_signal_backend GRANT SELECT ON TABLES TO pg_monitor;")
    with ScratchServer(embedded.url()) as server:
        text = plan_squash(operator.project.migrations, B, server).up
    assert "\r" not in text
    assert "VALUES (E'x\\r\ny');" in text
    assert "FOR ROLE pg_signal_backend GRANT SELECT ON TABLES TO pg_monitor;" in text
