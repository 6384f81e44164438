"""Spinscape: from a spin Hamiltonian in YAML to phase maps and fitted couplings."""

__version__ = "0.1.0"
