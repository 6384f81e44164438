"""What runs, and what runs again: the graph of jobs after edits of the study, of the code and of the data."""

import json
import shutil
import sys

import pytest

STUDY = "config/test/la2nio4.yaml"
RESULTS = "results/la2nio4_test"
ALL = {"model": 1, "measurement": 1, "simulate": 2, "collect": 1, "learn": 1, "fit": 6, "compare": 1, "report": 1}
HEAVY = {"torch", "numba", "matplotlib", "plotly", "spglib", "sklearn", "zarr", "h5py", "mpi4py", "xarray"}
PACKAGE = "src/spinscape"


def test_a_first_run_makes_everything(project):
    assert project.jobs() == ALL


def test_nothing_runs_twice(finished):
    assert finished.jobs() == {}


def test_comments_docstrings_and_time_stamps_run_nothing_again(edited):
    for path in (edited.folder / PACKAGE).rglob("*.py"):
        path.write_text("# A comment.\n" + path.read_text() + "\n\n# The end.\n")
    for path in (edited.folder / "workflow").rglob("*.py"):
        path.write_text(path.read_text() + "# A comment.\n")
    edited.edit(STUDY, "# La2NiO4, tiny", "# Another comment on it")
    assert edited.jobs() == {}


def test_a_fit_that_is_edited_runs_alone_and_leaves_the_plans(edited):
    plans = sorted((edited.folder / RESULTS / "plan").glob("*.json"))
    before = [path.stat().st_mtime_ns for path in plans]
    edited.edit(STUDY, "n_replica: 20", "n_replica: 21")
    assert edited.jobs() == {"fit": 1, "report": 1}
    assert len(plans) == 3 and [path.stat().st_mtime_ns for path in plans] == before


def test_a_setting_of_the_training_spares_the_simulations(edited):
    edited.edit(STUDY, "hidden_layers: 2", "hidden_layers: 3")
    assert edited.jobs() == {"learn": 1, "fit": 1, "report": 1}


def test_a_title_is_for_the_report(edited):
    edited.edit(STUDY, "title: ", "title: New, ")
    assert edited.jobs() == {"report": 1}


def test_a_setting_of_the_simulator_runs_every_batch(edited):
    edited.edit(STUDY, "energy_factor: 1.09", "energy_factor: 1.10")
    again = edited.jobs()
    assert again["simulate"] == ALL["simulate"] and "model" not in again


def test_a_spin_that_is_edited_runs_all(edited):
    edited.edit(STUDY, "spin: 1}", "spin: 1.5}")
    assert edited.jobs() == ALL


def test_more_points_are_new_batches_beside_the_old_ones(edited):
    edited.edit(STUDY, "n_point: 24", "n_point: 34")
    assert edited.jobs() == {"simulate": 1, "collect": 1, "learn": 1, "fit": 1, "report": 1}


@pytest.mark.parametrize(
    ("modules", "jobs"),
    [
        (["lattice/symmetry.py"], ALL),
        (["kernels/bogoliubov.py"], {rule: count for rule, count in ALL.items() if rule != "model"}),
        (["learn/siren.py"], {"learn": 1, "fit": 1, "report": 1}),
        (["infer/objectives.py", "config/fits.py"], {"fit": 6, "compare": 1, "report": 1}),
        (["plot/spectra.py", "cli.py"], {"report": 1}),
    ],
    ids=["symmetry", "kernel", "network", "objective", "figure"],
)
def test_an_edit_of_the_code_runs_what_can_execute_it(edited, modules, jobs):
    for module in modules:
        path = edited.folder / PACKAGE / module
        path.write_text(path.read_text() + "\nEDITED = True\n")
    assert edited.jobs() == jobs


def test_a_binding_that_is_edited_runs_its_rule(edited):
    path = edited.folder / "workflow" / "scripts" / "report.py"
    path.write_text(path.read_text() + "EDITED = True\n")
    assert edited.jobs() == {"report": 1}


def test_data_that_appear_are_measured_and_fitted(edited, tmp_path):
    data = tmp_path / "data" / "la2nio4_test"
    data.mkdir(parents=True)
    edited.environment["SPINSCAPE_DATA"] = str(data.parent)
    for name in ("Sqw", "Qlist", "Elist"):
        (data / f"{name}_path2.csv").touch()
    # The optional measurement, and the two fits that use it where it is there.
    assert edited.jobs() == {"measurement": 1, "fit": 2, "report": 1}
    (data / "Elist_path2.csv").unlink()
    assert edited.jobs() == {}


def test_a_grid_of_8100_points_is_127_batches_planned_without_heavy_imports(project, tmp_path):
    study = "config/test/large.yaml"
    shutil.copy2(project.folder / STUDY, project.folder / study)
    for old, new in (("la2nio4_test", "large"), ("n_point: 24", "n_point: 8100"), ("batch_size: 12", "batch_size: 64")):
        project.edit(study, old, new)
    assert project.jobs(study=study) == {**ALL, "simulate": 127}
    listing = tmp_path / "modules.json"
    code = (
        "import atexit, json, sys; from pathlib import Path; from snakemake.cli import main\n"
        f"atexit.register(lambda: Path({str(listing)!r}).write_text(json.dumps(sorted(sys.modules))))\n"
        f"main(['--dry-run', '--config', 'studies={study}'])"
    )
    project.command([sys.executable, "-c", code])
    modules = json.loads(listing.read_text())
    assert {name.partition(".")[0] for name in modules} & HEAVY == set()
    ours = {name for name in modules if name.startswith("spinscape.")}
    assert {"spinscape.config.load", "spinscape.stages.plan"} <= ours
    # The settings of Monte Carlo are plain data, which its section of the schema makes; no simulator is among them.
    plain = {"spinscape.simulate", "spinscape.simulate.montecarlo_settings", "spinscape.simulate.moves"}
    heavy = ("kernels", "simulate", "learn", "infer", "plot", "store")
    assert not {name for name in ours - plain if name.split(".")[1] in heavy}


def test_a_study_that_is_wrong_stops_with_one_error(edited):
    edited.edit(STUDY, "n_point: 24", "n_pont: 24")
    failed = edited.snakemake("--dry-run", check=False)
    assert failed.returncode != 0
    assert "unknown key 'n_pont'" in failed.stdout and "did you mean 'n_point'?" in failed.stdout
    assert "Traceback" not in failed.stdout
    assert len(list((edited.folder / RESULTS / "simulate").glob("*.zarr.zip"))) == ALL["simulate"]


def test_a_network_of_more_spectra_than_points_is_refused_before_any_is_simulated(edited):
    edited.edit(STUDY, "n_train: ", "n_train: 1")
    failed = edited.snakemake("--dry-run", check=False)
    assert failed.returncode != 0 and "too few points" in failed.stdout and "learn.siren.n_train" in failed.stdout
    assert "Traceback" not in failed.stdout


def test_two_studies_of_one_name_are_refused(project):
    shutil.copy2(project.folder / STUDY, project.folder / "config" / "test" / "twin.yaml")
    failed = project.snakemake("--dry-run", study=f"[{STUDY},config/test/twin.yaml]", check=False)
    assert failed.returncode != 0 and "same name" in failed.stdout


def test_each_rule_is_complete(project):
    """Snakemake's own lint finds nothing: a log, an environment and no absolute path in every rule."""
    assert "Congratulations" in project.snakemake("--lint").stdout
