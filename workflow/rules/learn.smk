rule learn:
    input:
        index="<results>/{study}/collect/index.json",
    output:
        model="<results>/{study}/learn/{name}.pt",
        metrics="<results>/{study}/learn/{name}.json",
    params:
        section=of_study(lambda study, wildcards: study.section("learn")[wildcards.name]),
        seed=of_study(lambda study, wildcards: study.seed),
        code=code("learn", "spinscape.stages.learn"),
        work=of_study(lambda study, wildcards: str(RESULTS / study.study / "work" / "learn" / wildcards.name)),
    log:
        "<results>/{study}/logs/learn/{name}.log",
    benchmark:
        "<results>/{study}/benchmarks/learn/{name}.tsv"
    threads: 2
    resources:
        mem_mb=scaled(4000),
        runtime=120,
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/learn.py"
