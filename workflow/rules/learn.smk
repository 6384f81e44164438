rule learn:
    input:
        index="<results>/{study}/collect/index.json",
        study="<results>/{study}/model.json",
    output:
        model="<results>/{study}/learn/{name}.pt",
        metrics="<results>/{study}/learn/{name}.json",
    log:
        "<results>/{study}/logs/learn/{name}.log",
    benchmark:
        "<results>/{study}/benchmarks/learn/{name}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=scaled(4000),
        runtime=120,
    params:
        section=built(build.learn_section),
        seed=of_study(lambda study, wildcards: study.seed),
        code=code("learn", "spinscape.stages.learn"),
        work=work_folder("learn", code("learn", "spinscape.stages.learn")),
    script:
        "../scripts/learn.py"
