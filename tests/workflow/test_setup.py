"""Set-up files agree with each other and with what is installed."""

import re
import subprocess
from importlib.metadata import distribution, requires
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[2]


def pins():
    rows = (line.split("==") for line in (PROJECT / "envs" / "constraints.txt").read_text().split())
    return {canonicalize_name(name): version for name, version in rows}


GPU = ("cuda-", "nvidia-", "triton")
"""What torch brings in where its build is the one for GPUs: it pins them itself, to the last digit."""


def needed(package="spinscape", extra="dev"):
    """Return every distribution that an installation brings in on this machine, those of :data:`GPU` left out."""
    todo, found = [(package, extra)], set()
    while todo:
        name, wanted = todo.pop()
        for text in requires(name) or ():
            requirement = Requirement(text)
            applies = requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in (wanted, "")
            )
            child = canonicalize_name(requirement.name)
            if applies and child not in found and not child.startswith(GPU):
                found.add(child)
                todo.extend((child, extra) for extra in (requirement.extras or {""}))
    return found


def test_every_package_that_is_needed_is_installed_as_pinned():
    # setuptools comes with the virtual environment, in the version of its Python.
    names = needed() - {"setuptools"}
    assert names - set(pins()) == set()
    installed = {name: distribution(name).version.partition("+")[0] for name in names}
    assert installed == {name: pins()[name] for name in names}, "run `make install`"


def test_conda_versions_are_those_of_the_constraints():
    other_names = {"matplotlib-base": "matplotlib", "pytorch": "torch", "snakemake-minimal": "snakemake"}
    environment = yaml.safe_load((PROJECT / "envs" / "environment.yaml").read_text())
    rows = [re.split(r"=| ", row, maxsplit=1) for row in environment["dependencies"] if "=" in row and ">" not in row]
    assert len(rows) > 10
    for name, version in rows:
        assert (pins()[other_names.get(name, name)] + ".").startswith(version + "."), name


def test_every_study_has_a_tiny_variant():
    studies = {path.name for path in (PROJECT / "config" / "studies").glob("*.yaml")}
    assert studies == {path.name for path in (PROJECT / "config" / "test").glob("*.yaml")}


def test_make_lists_its_targets():
    said = subprocess.run(["make", "-C", PROJECT, "help"], capture_output=True, text=True, check=True).stdout
    targets = {line.split()[0] for line in said.splitlines()}
    assert {"install", "run", "test", "test-slow", "test-slurm", "bench", "lint"} <= targets


def test_scripts_are_bindings():
    """A script of the workflow calls one function of a stage, in at most 25 lines."""
    for path in (PROJECT / "workflow" / "scripts").glob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 25, path.name
        assert len(re.findall(rf"\b{path.stem}\.run\(", text)) == 1, path.name
