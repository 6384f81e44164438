"""Binding of the rule ``model``."""

from spinscape.stages import model
from spinscape.stages.logged import logged

with logged(snakemake.log[0]):
    model.run(snakemake.params.section, snakemake.output[0])
