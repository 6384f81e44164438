# The only Python of the workflow: read the studies, plan their batches, and answer what a rule asks about its study.
import os
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

from spinscape.config.build import grid_points, model_section, plan_header
from spinscape.config.load import load_study
from spinscape.errors import SpinscapeError
from spinscape.fingerprint import code_fingerprint
from spinscape.stages.plan import read_plan, write_plan

# The programs that stand beside this Python come first (mpiexec, python), whether or not its environment is active.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

DATA = config.get("data", os.environ.get("SPINSCAPE_DATA"))
RESULTS = Path(config["pathvars"]["results"])
SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
# What a stage before the fits cannot depend on, though the schema of a study imports it.
NOT_OF_STAGES = ("spinscape.config.fits", "spinscape.config.crosscheck", "spinscape.config.load")


def read_studies(files):
    """Return the studies by name, or stop with the one error of the first bad file."""
    try:
        found = [load_study(path) for path in ([files] if isinstance(files, str) else files)]
    except SpinscapeError as error:
        raise WorkflowError(str(error)) from None
    names = [study.study for study in found]
    if len(set(names)) < len(names):
        raise WorkflowError(f"two studies have the same name: {sorted(names)}")
    return dict(zip(names, found))


def plan_batches(study):
    """Return the names of a study's batches; the process that the user started writes their plans where they changed."""
    folder = RESULTS / study.study / "plan"
    if workflow.is_main_process:
        return write_plan(folder, plan_header(study), grid_points(study), study.simulate.batch_size)
    return read_plan(folder)


STUDIES = read_studies(config["studies"])
BATCHES = {name: plan_batches(study) for name, study in STUDIES.items()}


wildcard_constraints:
    study="|".join(STUDIES),
    batch=r"b[0-9]+-[0-9a-f]+",
    name=r"[A-Za-z]\w*",


def of_study(function):
    """Return a Snakemake function of wildcards that asks the study itself: ``function(study, wildcards)``."""
    return lambda wildcards: function(STUDIES[wildcards.study], wildcards)


def sections(*names):
    """Return a function of wildcards: these sections of the study, as plain data."""
    return of_study(lambda study, wildcards: {name: study.section(name) for name in names})


@cache
def code(script, *modules, files=()):
    """Return the fingerprint of a rule's script and of all code of the package that it can execute."""
    binding = code_fingerprint(f"{SCRIPTS.name}.{script}", folder=SCRIPTS) if script else ""
    without = () if script in ("fit", "report") else NOT_OF_STAGES
    return binding + code_fingerprint(*modules, files=files, without=without)


def simulation_code(wildcards):
    """Return the fingerprint of what a simulated value depends on: the model's table, the simulator, the batch."""
    simulator = f"spinscape.simulate.{STUDIES[wildcards.study].simulate.kind}"
    return code(None, "spinscape.stages.model", "spinscape.stages.simulate", simulator)


def work_folder(wildcards):
    """Return the undeclared folder for points under way: values of other code are never taken up again."""
    return str(RESULTS / wildcards.study / "work" / simulation_code(wildcards) / wildcards.batch)


def scaled(mem_mb):
    """Return a resource function: memory that doubles with every attempt."""
    return lambda wildcards, attempt: mem_mb * 2 ** (attempt - 1)


def batches(wildcards):
    """Return the sealed batches of a study."""
    return [f"<results>/{wildcards.study}/simulate/{batch}.zarr.zip" for batch in BATCHES[wildcards.study]]


def data_files(study, name):
    """Return the files of a measurement that lie in the data folder now."""
    section = study.measurements[name]
    files = [Path(DATA) / part.file for part in (section.signal, section.momentum, section.energy)] if DATA else []
    return [str(path) for path in files if path.is_file()]


def measurements_of(study, fit):
    """Return the names of a fit's measurements: the optional ones only where their files are found."""
    names = study.fits[fit].measurements
    return [name for name in names if not study.measurements[name].optional or len(data_files(study, name)) == 3]
