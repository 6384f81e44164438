"""Binding of the rule ``collect``."""

from spinscape.stages import collect
from spinscape.stages.logged import logged

with logged(snakemake.log[0]):
    collect.run(list(snakemake.input), snakemake.output[0])
