"""Rewrite the outputs that README.md and docs/getting-started.md show, and the events' schemas: python -m tests.docs --write."""

import sys

from tasks.postgres.server import embedded
from tasks.postgres.server.cluster import Cluster
from tests.docs import event_schemas, lint_page
from tests.docs.examples import PAGES, run_page
from tests.docs.pages import write_outputs
from tests.docs.sandbox import open_sandbox
from tests.kit.home import make_home, remove_home
from tests.kit.projects import REPOSITORY


def main(arguments: list[str]) -> int:
    """Compare the outputs of each page and the schemas; write them with --write, or return 1 if they differ."""
    write = "--write" in arguments
    differ = not event_schemas.rewrite(write=write)
    if differ:
        print("Wrote the schemas of events" if write else "The schemas of events in docs/reference.md are out of date")
    if not lint_page.rewrite(write=write):
        differ = True
        print("Wrote docs/lint.md" if write else "The rules in docs/lint.md are out of date")
    home = make_home()
    try:
        template = Cluster(home / "template" / "data", embedded.find_programs())
        with open_sandbox(home, template) as sandbox:
            for page in PAGES:
                result = run_page(REPOSITORY / page, sandbox)
                sandbox.reset()
                if result.diff:
                    differ = True
                    print(result.diff)
                    if write:
                        write_outputs(REPOSITORY / page, result.outputs)
                        print(f"Wrote {page}")
    finally:
        remove_home(home)
    return int(differ and not write)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
