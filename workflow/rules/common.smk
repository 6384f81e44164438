# The only Python of the workflow: read the studies, plan their batches, and answer what a rule asks about its study.
import os
import shlex
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

from spinscape.config import build
from spinscape.config.load import load_study
from spinscape.errors import SpinscapeError
from spinscape.fingerprint import code_fingerprint
from spinscape.stages.plan import read_plan_index, write_plan

# The programs that stand beside this Python come first (mpiexec, python), whether or not its environment is active.
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))

DATA = os.environ.get("SPINSCAPE_DATA") or None
RESULTS = Path(config["pathvars"]["results"])
SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
# What a stage before the fits cannot depend on, though the schema of a study imports it.
BEFORE_FITS = (
    "spinscape.config.fits",
    "spinscape.config.crosscheck",
    "spinscape.config.load",
)


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
        points, replicas = build.grid_points(study), build.replicas(study)
        return write_plan(folder, build.plan_header(study), points, study.simulate.batch_size, replicas=replicas)
    return list(read_plan_index(folder / "index.json"))


STUDIES = read_studies(config["studies"])
BATCHES = {name: plan_batches(study) for name, study in STUDIES.items()}


wildcard_constraints:
    study="|".join(STUDIES),
    batch=r"b[0-9]+-[0-9a-f]+|r[0-9]+-[0-9]+",
    round=r"[0-9]+",
    part=r"[0-9]+",
    name=r"[A-Za-z]\w*",


def of_study(function):
    """Return a function of wildcards, as Snakemake wants it, from ``function(study, wildcards)``."""
    return lambda wildcards: function(STUDIES[wildcards.study], wildcards)


def sections(*names):
    """Return a function of wildcards: these sections of the study, as plain data."""
    return of_study(lambda study, wildcards: {name: study.section(name) for name in names})


def built(function):
    """Return a function of wildcards: what a stage needs of one member of a section, made by ``config.build``."""
    return of_study(lambda study, wildcards: function(study, wildcards.name))


@cache
def code(script, *modules, files=(), without=BEFORE_FITS):
    """Return the fingerprint of a rule's script and of all code of the package that it can execute."""
    binding = code_fingerprint(f"{SCRIPTS.name}.{script}", folder=SCRIPTS) if script else ""
    return binding + code_fingerprint(*modules, files=files, without=without)


def simulation_code(wildcards):
    """Return the fingerprint of what a simulated value depends on: the model's table, the simulator, the batch."""
    simulator = STUDIES[wildcards.study].simulate.module
    return code(None, "spinscape.stages.model", "spinscape.stages.simulate", simulator)


def choose_code(study, wildcards):
    """Return the fingerprint of a choice of points: of the chooser that the study names."""
    return code("choose", "spinscape.stages.choose", *study.refine.modules(study))


def fit_code(study, wildcards):
    """Return the fingerprint of a fit: what kinds of forward models and objectives need counts for fits with them."""
    return code("fit", "spinscape.stages.fit", *build.fit_modules(study, wildcards.name), without=())


def measurement_code(study, wildcards):
    """Return the fingerprint of a measurement, and of the simulation that may stand in for it."""
    return code("measurement", "spinscape.stages.measurement", *build.measurement_modules(study, wildcards.name))


def ranks(wildcards):
    """Return the number of MPI ranks of a batch; Slurm's executor refuses an MPI job of one."""
    return max(2, STUDIES[wildcards.study].simulate.ranks)


def work_folder(*parts):
    """Return a function of wildcards: the folder for a stage's work under way, which is not an output of any rule."""
    return lambda wildcards: str(RESULTS.joinpath(wildcards.study, "work", *parts))


def keep(wildcards):
    """Return the option of a batch of a round: its name does not tell its points, so what was simulated is kept."""
    folder = RESULTS / wildcards.study / "work" / "rounds"
    return f"--keep {shlex.quote(str(folder))}" if wildcards.batch.startswith("r") else ""


def scaled(mem_mb):
    """Return a resource function: memory that doubles with every attempt."""
    return lambda wildcards, attempt: mem_mb * 2 ** (attempt - 1)


def n_round(study):
    """Return how many rounds of further points a study has."""
    return 0 if study.refine is None else study.refine.rounds


def last_round(study, wildcards):
    """Return the round whose points are the last ones that a job knows: its own, or the study's last."""
    return int(wildcards.get("round", n_round(study)))


def batches(study, wildcards):
    """Return the sealed batches of a study, those of its rounds up to the job's own among them."""
    rounds = range(1, last_round(study, wildcards) + 1)
    further = [f"r{number}-{part}" for number in rounds for part in range(build.n_part(study))]
    names = [*BATCHES[study.study], *further]
    return expand("<results>/{study}/simulate/{batch}.zarr.zip", study=study.study, batch=names)


def round_points(study, wildcards):
    """Return the files of the points of a study's rounds, up to the job's own."""
    rounds = range(1, last_round(study, wildcards) + 1)
    return expand("<results>/{study}/rounds/{round}/points.json", study=study.study, round=rounds)


def chosen_from(study, wildcards):
    """Return what the chooser of a round reads, by the name that it knows it by: the results of the round before."""
    folder = f"<results>/{study.study}/rounds/{int(wildcards.round) - 1}"
    kinds = {
        "phases": lambda refine: {"map": f"{folder}/{refine.map}.h5"},
        "gaussian_process": lambda refine: {
            "index": f"{folder}/index.json",
            "model": f"<results>/{study.study}/model.json",
            "measurements": measurement_files(study, refine.fit),
        },
    }
    return kinds[study.refine.kind](study.refine)


def round_maps(kind):
    """Return a function of study and wildcards: the maps that rounds were chosen from, and the last of them."""

    def files(study, wildcards):
        if n_round(study) == 0 or study.refine.kind != "phases":
            return []
        folders = [*(f"rounds/{number}" for number in range(n_round(study))), "phases"]
        pattern = "<results>/{study}/{folder}/{name}.{kind}"
        return expand(pattern, study=study.study, folder=folders, name=study.refine.map, kind=kind)

    return files


def data_files(study, wildcards):
    """Return the files of a measurement that lie in the data folder now: one that appears or goes re-runs the rule."""
    files = [Path(DATA) / part.file for part in build.files_of(study.measurements[wildcards.name])] if DATA else []
    return [str(path) for path in files if path.is_file()]


def fitted_measurements(study, wildcards):
    """Return the measurement files of a fit, the optional ones only where their data are found."""
    return measurement_files(study, wildcards.name)


def measurement_files(study, fit):
    """Return the measurement files of a fit by its name."""
    names = build.measurements_of(study, fit, DATA)
    return expand("<results>/{study}/measurements/{name}.h5", study=study.study, name=names)


def comparison_code(study, wildcards):
    """Return the fingerprint of a comparison: what the kinds of its fits need counts."""
    return code("compare", "spinscape.stages.compare", *build.comparison_modules(study, wildcards.name), without=())


def compared_fits(study, wildcards):
    """Return the results of the fits that are compared."""
    return expand("<results>/{study}/fits/{name}.json", study=study.study, name=study.comparisons[wildcards.name].fits)


def compared_measurements(study, wildcards):
    """Return the measurement files of a comparison: those of its fits, which are the same."""
    names = build.measurements_of(study, study.comparisons[wildcards.name].fits[0], DATA)
    return expand("<results>/{study}/measurements/{name}.h5", study=study.study, name=names)


def compared_files(study, wildcards):
    """Return what the fits of a comparison read of other stages, each once."""
    return [f"<results>/{study.study}/{path}" for path in build.compared_files(study, wildcards.name)]


def fit_files(study, wildcards):
    """Return what a fit reads of other stages (trained models, stores), in one order; the script names them."""
    return [f"<results>/{study.study}/{path}" for path in build.fit_files(study, wildcards.name).values()]


def phase_compressor(study, wildcards):
    """Return the compressor that a map of phases rests on, if any."""
    name = study.phases[wildcards.name].latent if wildcards.name in study.phases else None
    return expand("<results>/{study}/compress/{name}.pt", study=study.study, name=[] if name is None else [name])


def learned(kind, pattern):
    """Return a function of wildcards: one file for each model of a kind."""
    return of_study(lambda study, _: expand(pattern, study=study.study, name=build.names_of_kind(study, kind)))


def every(section, pattern):
    """Return a function of wildcards: one file for each member of a section of the study."""
    return of_study(lambda study, wildcards: expand(pattern, study=study.study, name=getattr(study, section)))
