"""Metropolis sweeps by Spirit, to be run by the Python of its own environment: a peer, never a part of the package.

Reads the edge of a simple cubic Heisenberg ferromagnet (J = 1 meV) and a temperature in K as JSON from standard input;
prints CPU seconds for each attempted move as JSON.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from spirit import configuration, simulation, state
from spirit.parameters import mc

INPUT = """
bravais_lattice sc
n_basis_cells {edge} {edge} {edge}
mu_s 1.0
boundary_conditions 1 1 1
hamiltonian heisenberg_neighbours
external_field_magnitude 0.0
anisotropy_magnitude 0.0
n_shells_exchange 1
jij 1.0
n_shells_dmi 0
ddi_method none
output_file_tag peer
log_to_file 0
log_to_console 0
"""


def cpu(action):
    start = time.process_time()
    action()
    return time.process_time() - start


def main():
    problem = json.load(sys.stdin)
    edge = problem["edge"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "input.cfg"
        path.write_text(INPUT.format(edge=edge))
        with state.State(str(path), quiet=True) as spirit:
            mc.set_output_general(spirit, any=False)
            mc.set_temperature(spirit, problem["temperature"])
            mc.set_metropolis_cone(spirit, use_cone=False)
            configuration.random(spirit)

            def sweeps(n):
                simulation.start(spirit, simulation.METHOD_MC, n_iterations=n, n_iterations_log=n)

            sweeps(5)
            short, long = cpu(lambda: sweeps(2)), cpu(lambda: sweeps(42))
    print(json.dumps((long - short) / 40 / edge**3))


if __name__ == "__main__":
    main()
