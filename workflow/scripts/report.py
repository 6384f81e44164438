"""Binding of the rule ``report``."""

from spinscape.stages import report
from spinscape.stages.logged import logged

with logged(snakemake.log[0]):
    report.run(
        snakemake.params.section,
        snakemake.input.index,
        snakemake.input.model,
        list(snakemake.input.fits),
        list(snakemake.input.arrays),
        list(snakemake.input.metrics),
        snakemake.output[0],
        phases=list(zip(snakemake.input.maps, snakemake.input.map_arrays, strict=True)),
        rounds=(
            list(snakemake.input.rounds),
            list(zip(snakemake.input.round_maps, snakemake.input.round_arrays, strict=True)),
        ),
        comparisons=list(snakemake.input.comparisons),
        compressions=list(snakemake.input.compressions),
        code=snakemake.params.code,
    )
