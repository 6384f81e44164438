"""The tiny study from its YAML file to its report, on this machine, with every stage for real."""

import json

import pytest

RESULTS = "results/la2nio4_test"
TRUE = {"J": 29.6, "Jp": 1.8}
FITS = ("correlation", "counts", "counts_without_jp", "direct", "siren", "siren_check")


@pytest.fixture(scope="module")
def run(workflow):
    """Return the results of the study, and what the run said."""
    done = workflow.snakemake("--cores", "2")
    return workflow.folder / RESULTS, done.stdout


def test_every_result_is_there_and_nothing_is_left_to_do(run, workflow):
    results, _ = run
    files = {str(path.relative_to(results)) for path in results.rglob("*") if path.is_file()}
    wanted = {"model.json", "collect/index.json", "learn/siren.pt", "learn/siren.json", "measurements/path1.h5"}
    wanted |= {"comparisons/second_neighbours.json"}
    wanted |= {"report.html", *(f"fits/{fit}.{kind}" for fit in FITS for kind in ("json", "h5"))}
    assert wanted <= files
    assert workflow.jobs() == {}


def test_each_job_has_a_log_and_a_benchmark(run):
    results, _ = run
    logs = {path.relative_to(results / "logs").with_suffix("") for path in (results / "logs").rglob("*.log")}
    kept = {
        path.relative_to(results / "benchmarks").with_suffix("") for path in (results / "benchmarks").rglob("*.tsv")
    }
    assert logs == kept and len(logs) == 14


def test_a_simulated_measurement_is_announced(run):
    _, text = run
    assert "a SIMULATED measurement stands in" in text


def test_the_direct_fit_finds_the_couplings_that_were_put_in(run):
    results, _ = run
    found = json.loads((results / "fits" / "direct.json").read_text())["parameters"]
    assert set(found) == set(TRUE)
    for name, value in TRUE.items():
        # The errors are those of the fit itself; five of them leave room for a coarse, tiny bootstrap.
        error = found[name]["std"]
        assert abs(found[name]["value"] - value) < 5 * error < 1.0, name


def test_counts_are_compared_and_the_coupling_that_was_put_in_is_preferred(run):
    results, _ = run
    found = json.loads((results / "comparisons" / "second_neighbours.json").read_text())
    assert found["preferred"] == "counts" and len(found["models"]) == 2
    fit = json.loads((results / "fits" / "counts.json").read_text())
    for name, value in TRUE.items():
        assert abs(fit["parameters"][name]["value"] - value) < 4 * fit["parameters"][name]["std"] < 1.0, name
    # Simulated data: no group of pixels holds what the model cannot describe.
    assert fit["parameters"]["J"]["method"] != "jackknife" and fit["details"]["line_shape"]["fits"]


def test_the_report_stands_alone_and_says_that_the_data_are_simulated(run):
    results, _ = run
    page = (results / "report.html").read_text()
    assert page.rstrip().endswith("</html>") and "SIMULATED" in page
    assert 'src="http' not in page and 'href="http' not in page


@pytest.mark.usefixtures("run")
def test_a_stage_that_fails_ends_the_run_with_its_error(workflow, tmp_path):
    broken = workflow.copy(tmp_path / "project")
    batch = next((broken.folder / RESULTS / "simulate").glob("*.zarr.zip"))
    batch.write_bytes(batch.read_bytes()[:1000])
    failed = broken.snakemake("--cores", "1", "--forcerun", "collect", "--until", "collect", check=False)
    assert failed.returncode != 0
    assert f"where: {RESULTS}/simulate/{batch.name}" in failed.stdout and "fix:" in failed.stdout
    others = (broken.folder / RESULTS / "fits").glob("*.json")
    assert len(list(others)) == len(FITS)
