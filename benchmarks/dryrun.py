"""Cost of deciding what to run: CPU seconds of a dry run of the default study, grown to 8,100 points.

    python benchmarks/dryrun.py

Asked for: at most 5 s. Most of it is the start of Python and Snakemake, which stands beside.
"""

import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).parents[1]
N_POINT, BATCH_SIZE, REPEAT, ALLOWED = 8100, 64, 5, 5.0


def cpu_seconds(command, folder):
    """Return CPU seconds (with those of its children), wall seconds and the output of a command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall, done.stdout


def grown_project(folder):
    """Copy the workflow and the default study to a folder; return the grown study's path there."""
    for part in ("Snakefile", "config", "envs", "profiles", "workflow"):
        source = PROJECT / part
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, folder / part)
    study = folder / "config" / "studies" / "la2nio4.yaml"
    text = re.sub(r"n_point: \d+", f"n_point: {N_POINT}", study.read_text(), count=1)
    study.write_text(re.sub(r"batch_size: \d+", f"batch_size: {BATCH_SIZE}", text, count=1))
    return study.relative_to(folder)


def main():
    """Measure, print, and fail where it takes more than allowed."""
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    snakemake = [sys.executable, "-m", "snakemake"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [*snakemake, "--dry-run", "--quiet", "rules", "--config", f"studies={grown_project(folder)}"]
        first, _, text = cpu_seconds(command, folder)
        runs = [cpu_seconds(command, folder)[:2] for _ in range(REPEAT)]
        starts = [cpu_seconds([*snakemake, "--version"], folder)[0] for _ in range(REPEAT)]
    jobs = int(re.search(r"^total +(\d+)", text, re.MULTILINE)[1])
    median = statistics.median(cpu for cpu, _ in runs)
    print(f"dry run of {N_POINT} points in batches of {BATCH_SIZE}: {jobs} jobs")
    print(f"  CPU, first time (plans are written)   {first:5.2f} s")
    print(f"  CPU, again, median of {REPEAT}               {median:5.2f} s   allowed {ALLOWED:.1f} s")
    print(f"  of which the start of Snakemake       {statistics.median(starts):5.2f} s")
    print(f"  wall, again, median                   {statistics.median(wall for _, wall in runs):5.2f} s")
    if max(median, first) > ALLOWED:
        sys.exit(f"error: a dry run takes more than {ALLOWED} s of CPU")


if __name__ == "__main__":
    main()
