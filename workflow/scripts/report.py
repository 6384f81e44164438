"""Binding of the rule ``report``."""

from spinscape.stages import report
from spinscape.stages.logged import logged

with logged(snakemake.log[0]):
    report.run(snakemake.params.section, list(snakemake.input.fits), list(snakemake.input.arrays), snakemake.output[0])
