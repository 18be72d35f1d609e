"""Read which commands and flags there are from the syntax of the files that define them.

Completion starts a process for each press of a key. Importing the commands, and Invoke, takes several times as long as reading
them, and fails where a requirement is missing. Only the standard library is imported here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

SHORT_FLAGS = {"env": "e", "json": "j", "verbose": "v", "yes": "y"}
"""The only short flags of the commands: each means the same in all of them."""
_DECORATORS = ("command", "task")

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class CommandSyntax(NamedTuple):
    """A command as it is typed."""

    name: str
    description: str
    flags: Mapping[str, str]
    """The parameter that each flag sets."""
    switches: frozenset[str]
    """The parameters whose flags take no value."""
    positional: tuple[str, ...]
    """The parameters that are typed without a flag."""

    def takes_value(self, flag: str) -> bool:
        """Return True if a flag is followed by a value."""
        return flag in self.flags and self.flags[flag] not in self.switches


def read_commands(entry: Path) -> dict[str, CommandSyntax]:
    """Return the commands of a file for Invoke and of the modules that it puts into its Collection, in alphabetical order.

    A module is looked for in the folder beside the file, and in the package that the file imports it from.
    """
    tree = _parse(entry)
    if tree is None:
        return {}
    root = entry.parent
    imported = {alias.asname or alias.name: path for alias, path in _list_imports(ast.walk(tree), root)}
    commands = {}
    for name in _list_collections(tree):
        module = _parse(imported.get(name, entry.with_suffix("") / f"{name}.py"))
        if module is not None:
            commands.update({f"{name}.{found.name}": found for found in _read_module(module, root)})
    if not commands:
        commands = {found.name: found for found in _read_module(tree, root)}
    return {name: command._replace(name=name) for name, command in sorted(commands.items())}


def write_flag(name: str) -> str:
    """Return the flag of a parameter, as Invoke has it."""
    return f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"


def _parse(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


def _list_collections(tree: ast.Module) -> Iterator[str]:
    """Yield the names of the modules that are arguments of `Collection(…)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Collection":
            yield from (argument.id for argument in node.args if isinstance(argument, ast.Name))


def _list_imports(nodes: Iterable[ast.AST], root: Path) -> Iterator[tuple[ast.alias, Path]]:
    """Yield what is imported from the project, each name with the file that may be or may define it."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            module = root.joinpath(*node.module.split("."))
            for alias in node.names:
                submodule = module / f"{alias.name}.py"
                yield alias, submodule if submodule.is_file() else module.with_suffix(".py")


def _read_module(tree: ast.Module, root: Path) -> Iterator[CommandSyntax]:
    """Yield the commands that a module defines, and those that it imports in order to offer them: `import x as x`."""
    for node in tree.body:
        if isinstance(node, _Function):
            yield from _read_function(node)
    for alias, path in _list_imports(tree.body, root):
        offered = alias.name if alias.asname == alias.name else ""
        module = _parse(path) if offered else None
        for node in module.body if module else ():
            if isinstance(node, _Function) and node.name == offered:
                yield from _read_function(node)


def _read_function(function: _Function) -> Iterator[CommandSyntax]:
    for decorator in function.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        named = call.func if call else decorator
        if isinstance(named, ast.Name) and named.id in _DECORATORS:
            options = {option.arg: option.value for option in call.keywords} if call else {}
            yield _describe(function, options)


def _describe(function: _Function, options: Mapping[str | None, ast.expr]) -> CommandSyntax:
    arguments = function.args.args[1:]
    defaults: list[ast.expr | None] = [*[None] * len(arguments), *function.args.defaults][-len(arguments) :] if arguments else []
    names = [argument.arg for argument in arguments]
    required = [name for name, default in zip(names, defaults, strict=True) if default is None]
    repeatable = _evaluate(options.get("iterable"), [])
    flags = {write_flag(name): name for name in names}
    flags |= {f"-{SHORT_FLAGS[name]}": name for name in names if name in SHORT_FLAGS}
    return CommandSyntax(
        _evaluate(options.get("name"), function.name).replace("_", "-"),
        (ast.get_docstring(function) or "").partition("\n")[0],
        flags,
        frozenset(name for name, default in zip(names, defaults, strict=True) if _is_switch(default)),
        tuple(name for name in _evaluate(options.get("positional"), required) if name not in repeatable),
    )


def _is_switch(default: ast.expr | None) -> bool:
    return isinstance(default, ast.Constant) and isinstance(default.value, bool)


def _evaluate(node: ast.expr | None, default: Any) -> Any:
    """Return the value of a literal."""
    return default if node is None else ast.literal_eval(node)
