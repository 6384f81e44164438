"""A fingerprint of the code that a stage of the workflow can execute.

A workflow engine sees files and parameters; it does not see that an imported package was edited. The fingerprint of
a stage's modules, and of all that they import from this package, is therefore a parameter of its rule.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = __name__.partition(".")[0]
FOLDER = Path(__file__).resolve().parent


def code_fingerprint(*roots, files=(), without=(), folder=FOLDER):
    """Return a hash over the code that modules can reach by static imports within their package.

    Comments, docstrings, formatting and the package's version do not count. Imports inside functions do; a module
    that is imported by a computed name is not seen and must be a root itself.

    Parameters
    ----------
    *roots : str
        Full module names, ``spinscape.stages.simulate`` say.
    files : sequence of str
        Other files of the package that the code reads (templates), relative to its folder; their bytes count.
    without : sequence of str
        Modules that do not count, nor what only they import.
    folder : Path
        The package's folder; its name is the package's name.

    Returns
    -------
    str
        16 hexadecimal digits.

    Examples
    --------
    >>> code_fingerprint("spinscape.rng") == code_fingerprint("spinscape.rng") != code_fingerprint("spinscape.units")
    True
    """
    folder = Path(folder)
    digest = hashlib.sha256()
    for name in import_closure(*roots, without=without, folder=folder):
        digest.update(f"{name} {_read(name, folder)[0]}\n".encode())
    for file in sorted(files):
        digest.update(f"{file} {hashlib.sha256((folder / file).read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def import_closure(*roots, without=(), folder=FOLDER):
    """Return the sorted names of the package's modules that ``roots`` can import, themselves included.

    >>> import_closure("spinscape.units")
    ('spinscape', 'spinscape.errors', 'spinscape.units')
    """
    folder = Path(folder)
    for root in roots:
        if _file(root, folder) is None:
            raise ModuleNotFoundError(f"no module {root!r} in {folder}")
    todo, found = list(roots), set(without)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += _read(name, folder)[1]
    return tuple(sorted(found - set(without)))


def _file(name, folder):
    """Return the source file of a module of the package, or None where there is no such module."""
    package, _, rest = name.partition(".")
    if package != folder.name:
        return None
    stem = folder.joinpath(*rest.split(".")) if rest else folder
    return next((path for path in (stem / "__init__.py", stem.with_suffix(".py")) if path.is_file()), None)


@cache
def _read(name, folder):
    """Return the hash of a module's normalised code, and the names of the package's modules that it imports."""
    path = _file(name, folder)
    tree = ast.parse(path.read_bytes(), filename=str(path))
    here = name if path.name == "__init__.py" else name.rpartition(".")[0]
    parts = []
    targets = set()
    _normalise(tree, parts, targets, here)
    # Importing a module runs its parents, where they are more than folders.
    targets.add(name.rpartition(".")[0])
    modules = {module for target in targets for module in _modules(target, folder)}
    return hashlib.sha256("\0".join(parts).encode()).hexdigest(), tuple(sorted(modules))


def _modules(target, folder):
    """Return the module that ``target`` names, or that holds the attribute which it names."""
    if target.partition(".")[0] != folder.name:
        return ()
    for name in (target, target.rpartition(".")[0]):
        if name and _file(name, folder) is not None:
            return (name,)
    return ()


def _normalise(node, parts, targets, here):
    """Append what counts of a syntax tree to ``parts``, and what it imports to ``targets``.

    Own code instead of ``ast.dump``, whose text differs between versions of Python; empty fields are left out for
    the same reason.
    """
    kind = type(node).__name__
    parts.append(kind)
    if kind in ("Import", "ImportFrom"):
        targets.update(_imported(node, here))
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            if field == "body" and value and _is_docstring(kind, value[0]):
                value = value[1:]
            if value:
                _normalise_list(field, value, parts, targets, here)
        elif isinstance(value, ast.AST):
            if field != "ctx":
                _normalise(value, parts, targets, here)
        elif value is not None and field not in ("kind", "type_comment"):
            parts.append(f"{field}={value!r}")


def _normalise_list(field, values, parts, targets, here):
    """Append the members of a list field, between marks."""
    parts.append(field)
    for item in values:
        if not isinstance(item, ast.AST):
            parts.append(repr(item))
        elif not _is_version(item):
            _normalise(item, parts, targets, here)
    parts.append("end")


def _is_docstring(kind, statement):
    """Tell whether the first statement of a body is text that nobody reads."""
    return (
        kind in ("Module", "ClassDef", "FunctionDef", "AsyncFunctionDef")
        and isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _is_version(node):
    """Tell whether a statement sets ``__version__``: a release alone makes no result stale."""
    return isinstance(node, ast.Assign) and [getattr(t, "id", None) for t in node.targets] == ["__version__"]


def _imported(node, here):
    """Return the full names that an import statement asks for; ``here`` is the package that it stands in."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    base = node.module or ""
    if node.level:
        above = here.split(".")[: len(here.split(".")) - node.level + 1]
        base = ".".join([*above, *([node.module] if node.module else [])])
    return {f"{base}.{alias.name}" for alias in node.names}
