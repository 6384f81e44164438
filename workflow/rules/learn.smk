rule learn:
    input:
        index="<results>/{study}/collect/index.json",
    output:
        model="<results>/{study}/learn/{name}.pt",
        metrics="<results>/{study}/learn/{name}.json",
    log:
        "<results>/{study}/logs/learn/{name}.log",
    benchmark:
        "<results>/{study}/benchmarks/learn/{name}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: 2
    resources:
        mem_mb=scaled(4000),
        runtime=120,
    params:
        section=of_study(lambda study, wildcards: study.section("learn")[wildcards.name]),
        seed=of_study(lambda study, wildcards: study.seed),
        code=code("learn", "spinscape.stages.learn"),
        work=work_folder("learn"),
    script:
        "../scripts/learn.py"
