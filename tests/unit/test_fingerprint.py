"""The fingerprint of a stage's code: what counts, what does not, and how far it reaches."""

import ast
import subprocess
import sys
import time

import pytest

from spinscape.fingerprint import FOLDER, code_fingerprint, import_closure

FILES = {
    "__init__.py": '__version__ = "1.0"\n',
    "kernel.py": '"""Kernel."""\n\n\ndef energy(x):\n    """Return it."""\n    return 2 * x\n',
    "deep/__init__.py": "",
    "deep/lazy.py": "LIMIT = 3\n",
    "deep/near.py": "from . import lazy\nfrom .. import kernel\n",
    "other.py": "VALUE = 1\n",
    "stage.py": "import numpy as np\n\nfrom .kernel import energy\n\n\ndef run():\n"
    "    from pack.deep import near\n\n    return energy(np.pi), near\n",
    "page.j2": "<p>",
}


@pytest.fixture
def write(tmp_path):
    """Return a function that makes a package of its own, with some files changed, and returns its folder."""
    made = []

    def make(**changed):
        folder = tmp_path / str(len(made)) / "pack"
        made.append(folder)
        for name, text in {**FILES, **changed.pop("files", {})}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder

    return make


def fingerprint(folder, *roots, **keywords):
    return code_fingerprint(*(roots or ("pack.stage",)), folder=folder, **keywords)


def test_closure_follows_absolute_relative_and_inner_imports(write):
    closure = import_closure("pack.stage", folder=write())
    assert closure == ("pack", "pack.deep", "pack.deep.lazy", "pack.deep.near", "pack.kernel", "pack.stage")


def test_closure_without_a_module_loses_what_only_that_one_imports(write):
    closure = import_closure("pack.stage", folder=write(), without=("pack.deep.near",))
    assert closure == ("pack", "pack.kernel", "pack.stage")


@pytest.mark.parametrize(
    "files",
    [
        {"kernel.py": '"""Another text."""\n\ndef energy(x):\n    # why\n    return (2  *  x)\n'},
        {"kernel.py": 'def energy(x):\n    """Return it.\n\n    At length.\n    """\n    return 2 * x\n'},
        {"other.py": "VALUE = 2\n"},
        {"page.j2": "<h1>"},
        {"__init__.py": '"""The package."""\n\n__version__ = "2.0"\n'},
    ],
    ids=["comment and format", "docstring", "unrelated module", "unrelated file", "version"],
)
def test_what_does_not_count(write, files):
    assert fingerprint(write()) == fingerprint(write(files=files))


@pytest.mark.parametrize(
    "files",
    [
        {"kernel.py": "def energy(x):\n    return 3 * x\n"},
        {"kernel.py": "def energy(y):\n    return 2 * y\n"},
        {"kernel.py": "@np.vectorize\ndef energy(x):\n    return 2 * x\n"},
        {"kernel.py": "def energy(x=1):\n    return 2 * x\n"},
        {"kernel.py": "def energy(x):\n    return 2.0 * x\n"},
        {"kernel.py": 'def energy(x):\n    x = "Return it."\n    return 2 * x\n'},
        {"deep/lazy.py": "LIMIT = 4\n"},
        {"__init__.py": "import pack.other\n"},
    ],
    ids=["operation", "name", "decorator", "default", "type of a number", "text that is used", "far import", "package"],
)
def test_what_counts(write, files):
    assert fingerprint(write()) != fingerprint(write(files=files))


def test_a_block_that_moves_counts(write):
    inside = "def energy(x):\n    if x:\n        x = 1\n        x = 2\n    return x\n"
    outside = "def energy(x):\n    if x:\n        x = 1\n    x = 2\n    return x\n"
    assert fingerprint(write(files={"kernel.py": inside})) != fingerprint(write(files={"kernel.py": outside}))


def test_a_named_file_counts_by_its_bytes(write):
    before = fingerprint(write(), files=("page.j2",))
    assert before != fingerprint(write(files={"page.j2": "<h1>"}), files=("page.j2",))
    assert before == fingerprint(write(files={"other.py": ""}), files=("page.j2",))


def test_an_excluded_module_does_not_count(write):
    changed = {"deep/near.py": "X = 1\n"}
    without = ("pack.deep.near",)
    assert fingerprint(write(), without=without) == fingerprint(write(files=changed), without=without)


def test_a_folder_of_scripts_is_a_package_too(tmp_path):
    script = tmp_path / "scripts" / "fit.py"
    script.parent.mkdir()
    script.write_text("import fit_helper\n")
    assert import_closure("scripts.fit", folder=script.parent) == ("scripts.fit",)


def test_an_unknown_root_is_refused(write):
    with pytest.raises(ModuleNotFoundError, match=r"pack\.absent"):
        fingerprint(write(), "pack.absent")


def test_the_order_of_the_roots_does_not_count(write):
    folder = write()
    assert fingerprint(folder, "pack.other", "pack.kernel") == fingerprint(folder, "pack.kernel", "pack.other")


def test_every_import_of_the_package_is_in_the_closure():
    """Importing a module for real brings in nothing of ours that the static closure does not name."""
    root = "spinscape.config.load"
    code = f"import sys, {root}; print(*(m for m in sys.modules if m.partition('.')[0] == 'spinscape'))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) <= set(import_closure(root))


def test_the_whole_package_costs_little_more_than_parsing_it():
    files = [path for path in FOLDER.rglob("*.py") if path.name != "__init__.py"]
    modules = [path.relative_to(FOLDER).with_suffix("").parts for path in files]
    names = [".".join(("spinscape", *parts)) for parts in modules]
    start = time.process_time()
    for path in files:
        ast.parse(path.read_bytes())
    parsed = time.process_time()
    code_fingerprint(*names, folder=FOLDER / ".." / FOLDER.name)  # a new key: nothing of it is cached
    assert time.process_time() - parsed < 5.0 * (parsed - start)
