"""A copy of the project in a folder of its own, for tests that run Snakemake on it and edit it."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PARTS = ("Snakefile", "config", "envs", "profiles", "workflow")
STUDY = "config/test/la2nio4.yaml"


class Project:
    """A copy of the project.

    Parameters
    ----------
    folder : Path
    environment : dict
        Variables for every command.
    """

    def __init__(self, folder, environment):
        self.folder, self.environment = folder, environment

    def snakemake(self, *arguments, study=STUDY, **keywords):
        """Run Snakemake on a study in this copy."""
        command = [sys.executable, "-m", "snakemake", *arguments, "--config", f"studies={study}"]
        return self.command(command, **keywords)

    def command(self, command, *, check=True, timeout=600):
        """Run a command in this copy; return it finished, its output and errors as one text."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout
        return done

    def jobs(self, **keywords):
        """Return the number of jobs of each rule that a dry run announces."""
        text = self.snakemake("--dry-run", **keywords).stdout
        table = re.search(r"^job +count\n-+ +-+\n((?:\w+ +\d+\n)+)", text, re.MULTILINE)
        rows = (line.split() for line in table[1].splitlines()) if table else ()
        return {rule: int(count) for rule, count in rows if rule not in ("all", "total")}

    def rules_to_run(self, **keywords):
        """Return the names of the rules that a dry run announces."""
        return set(self.jobs(**keywords))

    def edit(self, file, old, new, count=1):
        """Replace text that stands in a file."""
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{old!r} does not stand in {file}"
        path.write_text(text.replace(old, new, count))

    def copy(self, folder):
        """Return a copy of this copy, time stamps and Snakemake's records included."""
        shutil.copytree(self.folder, folder, symlinks=True)
        own = {"PYTHONPATH": str(folder / "src")} if (folder / "src").exists() else {}
        return Project(folder, {**self.environment, **own})


def copied(folder, parts):
    """Return a copy of parts of the project, without measured data, in which nothing has been run."""
    for part in parts:
        source = PROJECT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy2(source, folder / part)
    environment = {name: value for name, value in os.environ.items() if name != "SPINSCAPE_DATA"}
    return Project(folder, {**environment, "XDG_CACHE_HOME": str(folder / "cache")})


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    """Return a copy of the workflow that runs the installed package, whose kernels are compiled already."""
    return copied(tmp_path_factory.mktemp("workflow"), PARTS)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return a copy of the workflow and of the package, which it runs, so that both can be edited."""
    project = copied(tmp_path_factory.mktemp("project"), (*PARTS, "src"))
    project.environment["PYTHONPATH"] = str(project.folder / "src")
    return project


@pytest.fixture(scope="module")
def finished(project, tmp_path_factory):
    """Return a copy in which every job of the test study counts as done: empty outputs, true records of parameters."""
    done = project.copy(tmp_path_factory.mktemp("finished") / "project")
    text = done.snakemake("--dry-run").stdout
    for line in re.findall(r"^    output: (.*)$", text, re.MULTILINE):
        for name in line.split(", "):
            path = done.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    time.sleep(0.05)
    done.snakemake("--touch", "--forceall", "--cores", "1")
    return done


@pytest.fixture
def edited(finished, tmp_path):
    """Return a copy of the finished project for one test to edit."""
    return finished.copy(tmp_path / "project")
