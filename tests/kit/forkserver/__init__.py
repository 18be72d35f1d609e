"""Python programs as processes that were forked from one which has imported everything already.

A test asks of the tool what its user does: a command, as a process of its own, with its own signals, exit code and streams. Most
of such a process's time would go into imports. A fork is as real a process and has them done. That each command also starts from
nothing, importing late and no more than it needs, is for the tests of scripts and of imports to show.
"""

from tests.kit.forkserver.process import Running, inherit_environment, run_process, start_process, start_server

__all__ = ["Running", "inherit_environment", "run_process", "start_process", "start_server"]
