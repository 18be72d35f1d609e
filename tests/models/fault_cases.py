"""Models that cannot be used, each with the reference, the place, and parts of the message and its hint."""

from tests.models.applications import BASE, POST, USER

COLUMNS = (
    "from sqlalchemy.dialects import mysql\n" + USER + "    a = mapped_column(mysql.TINYINT)\n    b = mapped_column(mysql.YEAR)\n"
)
ENUMS = (
    USER + "    a = mapped_column(Enum('x', 'y', name='kind'))\n" + POST + "    a = mapped_column(Enum('x', 'z', name='kind'))\n"
)
LISTENER = """
@event.listens_for(Base.metadata, "before_create")
def check(target, connection, **_):
    return connection.execute(text("SELECT 1")).scalar()
"""
FAULTS = {
    "a module that is not there": ("", "mod:Base", "", "there is no module mod ", "Did you mean models?"),
    "a package without the module": (BASE, "models.users:Base", "", "there is no module models.users ", "current directory"),
    "a library that is missing": (
        "import no_such_library",
        "models:Base",
        "models.py:1",
        "No module named 'no_such_library'",
        "pip",
    ),
    "a syntax error": ("x = (", "models:Base", "models.py:1", "SyntaxError: '(' was never closed", "Correct"),
    "an error": ("print('seen')\ndef f():\n    return 1 / 0\nf()", "models:Base", "models.py:3", "ZeroDivisionError", "Correct"),
    "a variable that is not set": (
        "import os\nURL = os.environ['APP_DATABASE_URL']",
        "models:Base",
        "models.py:2",
        "KeyError: 'APP_DATABASE_URL'",
        "APP_DATABASE_URL=postgresql://",
    ),
    "an exit": ("import sys\nsys.exit('no')", "models:Base", "models.py:2", "exits when it is imported", "__main__"),
    "an end": ("import os\nprint('seen', flush=True)\nos._exit(3)", "models:Base", "", "exit code 3", "python -c"),
    "a signal": ("import os\nos.kill(os.getpid(), 9)", "models:Base", "", "ended by SIGKILL", "python -c"),
    "another name": (BASE + USER, "models:Bse", "", "models has no Bse", "Did you mean models:Base?"),
    "no tables": (BASE, "models:Base", "", "models:Base has no tables", "imports all models"),
    "an engine": (
        BASE + USER + "class AsyncEngine: pass\nengine = AsyncEngine()",
        "models:engine",
        "",
        "is no models, but models.AsyncEngine",
        "Did you mean models:Base?",
    ),
    "a coroutine": (BASE + USER + "async def get(): return Base", "models:get", "", "but a coroutine", "models:Base?"),
    "a function with arguments": (
        BASE + USER + "def get(x): return Base",
        "models:get",
        "",
        "the call failed",
        "without arguments",
    ),
    "types of MySQL": (BASE + COLUMNS, "models:Base", "", "public.users.b: sqlalchemy.dialects.mysql", "with_variant"),
    "two enums of one name": (BASE + ENUMS, "models:Base", "", "two different enums kind", "another name"),
    "a listener that reads": (BASE + USER + LISTENER, "models:Base", "models.py:13", "uses the database (scalar)", "DDL("),
    "an interrupt": ("raise KeyboardInterrupt", "models:Base", "models.py:1", "KeyboardInterrupt", "Correct the module"),
    "a source with a null byte": ("a = '\0'", "models:Base", "", "null bytes", "Correct the module"),
    "a long message": ("raise ValueError('long ' * 900)", "models:Base", "models.py:1", "long long", "Correct the module"),
    "a URL that is not set": (
        "from sqlalchemy import create_engine\ncreate_engine(None)",
        "models:Base",
        "models.py:2",
        "got None",
        "DATABASE_URL=postgresql://",
    ),
    "a setting that is not there": (
        "import os\nos.environ['APP_MODE']",
        "models:Base",
        "models.py:2",
        "KeyError: 'APP_MODE'",
        "settings that are not there: APP_MODE",
    ),
    "a database that does not answer": (
        "import socket\nsocket.create_connection(('127.0.0.1', 1))",
        "models:Base",
        "models.py:2",
        "refused",
        "must not connect",
    ),
    "a part of a library that is missing": (
        "raise ImportError('greenlet must be installed')",
        "models:Base",
        "models.py:1",
        "greenlet",
        "with the Python of this tool",
    ),
    "a function that returns nothing": (BASE + USER + "def get(): pass", "models:get", "", "but None", "models:Base?"),
    "an enum without a name": (
        BASE + USER + "    a = mapped_column(Enum('x', 'y'))\n",
        "models:Base",
        "",
        "public.users.a: sqlalchemy.sql.sqltypes.Enum",
        "set its name",
    ),
    "a name that is too long": (BASE + USER.replace("users", "u" * 64), "models:Base", "", "maximum length", "create_all"),
    "a text that is not Unicode": (
        BASE + USER + "    a = mapped_column(Text, server_default='\\ud800')\n",
        "models:Base",
        "",
        "UnicodeEncodeError",
        "create_all",
    ),
    "tables of one name in one MetaData": (
        BASE + "Table('t', Base.metadata, Column('a', Integer))\nTable('t', Base.metadata, Column('a', Text), schema='public')\n",
        "models:Base",
        "",
        "two different tables public.t:\n  a: a INTEGER\n  a: a TEXT",
        "--exclude public.t",
    ),
    "a column that is not there": (
        BASE + USER + POST.replace("users.id", "users.uid"),
        "models:Base",
        "",
        "public.posts.author",
        "Correct the foreign key",
    ),
}
