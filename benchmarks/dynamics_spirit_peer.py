"""Landau-Lifshitz steps by Spirit, to be run by the Python of its own environment: a peer, never a part of the package.

Reads the edge of a simple cubic Heisenberg magnet (J = 1 meV) as JSON from standard input; prints CPU seconds for each
spin and step of its solvers as JSON.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from spirit import configuration, simulation, state
from spirit.parameters import llg

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
SOLVERS = {"heun": simulation.SOLVER_HEUN, "sib": simulation.SOLVER_SIB}


def cpu(action):
    start = time.process_time()
    action()
    return time.process_time() - start


def seconds_per_step(spirit, solver):
    def steps(n):
        simulation.start(spirit, simulation.METHOD_LLG, SOLVERS[solver], n_iterations=n, n_iterations_log=n)

    steps(3)
    return (cpu(lambda: steps(45)) - cpu(lambda: steps(5))) / 40


def main():
    edge = json.load(sys.stdin)["edge"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "input.cfg"
        path.write_text(INPUT.format(edge=edge))
        with state.State(str(path), quiet=True) as spirit:
            llg.set_output_general(spirit, any=False)
            llg.set_timestep(spirit, 1e-4)
            llg.set_damping(spirit, 0.0)
            llg.set_temperature(spirit, 0.0)
            configuration.random(spirit)
            print(json.dumps({solver: seconds_per_step(spirit, solver) / edge**3 for solver in SOLVERS}))


if __name__ == "__main__":
    main()
