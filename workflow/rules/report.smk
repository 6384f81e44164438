rule report:
    input:
        index="<results>/{study}/collect/index.json",
        model="<results>/{study}/model.json",
        fits=every_fit("json"),
        arrays=every_fit("h5"),
        metrics=every_model,
    output:
        report(
            "<results>/{study}/report.html",
            caption="../report/study.rst",
            category="Studies",
        ),
    params:
        section=sections("study", "title", "seed", "couplings", "grid", "simulate", "learn", "fits"),
        code=code("report", "spinscape.stages.report", files=("plot/report.html.j2",)),
    log:
        "<results>/{study}/logs/report.log",
    benchmark:
        "<results>/{study}/benchmarks/report.tsv"
    resources:
        mem_mb=scaled(2000),
        runtime=10,
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/report.py"
