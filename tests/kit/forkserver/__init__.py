"""Python programs as processes that are forked from a process which has imported everything already.

A test runs a command as its user does: as a separate process with its own signals, exit code and streams. Such a process spends
most of its time on imports, which a fork has done. The tests of the scripts and of imports start commands in a new Python.
"""

from tests.kit.forkserver.process import Running, inherit_environment, run_process, start_process, start_server

__all__ = ["Running", "inherit_environment", "run_process", "start_process", "start_server"]
