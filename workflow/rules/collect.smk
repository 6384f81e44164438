rule collect:
    input:
        of_study(batches),
    output:
        "<results>/{study}/collect/index.json",
    log:
        "<results>/{study}/logs/collect.log",
    benchmark:
        "<results>/{study}/benchmarks/collect.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=scaled(2000),
        runtime=30,
    params:
        code=code("collect", "spinscape.stages.collect"),
    script:
        "../scripts/collect.py"
