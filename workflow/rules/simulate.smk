# One job is one batch of points is one MPI job. Its points go to a folder that Snakemake does not know, so that a job which
# is killed loses only the points under way, and are sealed into the output at the end.
rule simulate:
    input:
        # Not ancient(): Snakemake then forgets other reasons to run, in the run that makes the model again.
        model="<results>/{study}/model.json",
        plan="<results>/{study}/plan/{batch}.json",
    output:
        "<results>/{study}/simulate/{batch}.zarr.zip",
    log:
        "<results>/{study}/logs/simulate/{batch}.log",
    benchmark:
        "<results>/{study}/benchmarks/simulate/{batch}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: ranks
    resources:
        tasks=ranks,
        cpus_per_task=1,
        mpi="mpiexec",
        mem_mb=scaled(2000),
        runtime=60,
    params:
        code=simulation_code,
        work=work_folder("simulate"),
        keep=keep,
    shell:
        "OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1"
        " {resources.mpi} -n {resources.tasks} python -m mpi4py -m spinscape.stages.simulate"
        " --model {input.model:q} --plan {input.plan:q} --work {params.work:q} --output {output:q} --code {params.code} {params.keep}"
        " > {log:q} 2>&1"
