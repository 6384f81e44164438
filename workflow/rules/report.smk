rule report:
    input:
        index="<results>/{study}/collect/index.json",
        model="<results>/{study}/model.json",
        fits=every("fits", "<results>/{study}/fits/{name}.json"),
        arrays=every("fits", "<results>/{study}/fits/{name}.h5"),
        comparisons=every("comparisons", "<results>/{study}/comparisons/{name}.json"),
        metrics=learned("siren", "<results>/{study}/learn/{name}.json"),
        compressions=learned("compression", "<results>/{study}/compress/{name}.json"),
        maps=every("phases", "<results>/{study}/phases/{name}.json"),
        map_arrays=every("phases", "<results>/{study}/phases/{name}.h5"),
        rounds=of_study(round_points),
        round_maps=of_study(round_maps("json")),
        round_arrays=of_study(round_maps("h5")),
    output:
        report(
            "<results>/{study}/report.html",
            caption="../report/study.rst",
            category="Studies",
        ),
    log:
        "<results>/{study}/logs/report.log",
    benchmark:
        "<results>/{study}/benchmarks/report.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=scaled(2000),
        runtime=10,
    params:
        section=of_study(lambda study, wildcards: build.report_section(study)),
        code=code("report", "spinscape.stages.report", files=("plot/report.html.j2",), without=()),
    script:
        "../scripts/report.py"
