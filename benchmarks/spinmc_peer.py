"""Metropolis sweeps by spinmc, to be run by the Python of its own environment: a peer, never a part of the package.

Reads the edge of a simple cubic Heisenberg ferromagnet and T/J as JSON from standard input; prints CPU seconds for each
attempted move as JSON. What it takes to start and to measure is taken off, by a run with fewer steps.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from spinmc import Spinmc

STEPS = (20, 220)


def run(edge, temperature, n_step, folder):
    """Return the CPU time of one run; the moves of its equilibration are what differs between runs."""
    near = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]
    job = Spinmc().set_grid((edge,) * 3, 1, [1.0], (True, True, True))
    job = job.set_simulation("random", "heisenberg", n_step, 1, "metropolis", 1, [temperature], 1.0)
    job.params_dict["simulation"]["boltzmann_constant"] = job.params_dict["simulation"].pop("boltzmann_constand")
    job = job.add_exchange(1.0, 0, 0, near).set_output(group=[[0]])
    job.params_dict["output"]["savefile"] = str(Path(folder) / "result.txt")
    start = time.process_time()
    job.run()
    return time.process_time() - start


def main():
    problem = json.load(sys.stdin)
    edge = problem["edge"]
    with tempfile.TemporaryDirectory() as folder:
        short, long = (run(edge, problem["temperature"], n, folder) for n in STEPS)
    print(json.dumps((long - short) / (STEPS[1] - STEPS[0]) / edge**3))


if __name__ == "__main__":
    main()
