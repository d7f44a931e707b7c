package org.modeltracer.cli;

import java.util.List;
import java.util.concurrent.Callable;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.FileReport;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.cli.terminal.WeightReport;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.GgufKind;
import org.modeltracer.gguf.LoadChecks;
import org.modeltracer.graph.FoundSite;
import org.modeltracer.process.Trail;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.Json;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Says what is in a model file and what can be watched in the model. */
@Heading(Heading.Topic.ANALYSIS)
@Command(
    name = "inspect",
    description = "Show a file's metadata, its tensors, and the places found in its graph.",
    footer = {
      "modeltracer inspect model.gguf",
      "modeltracer inspect model.gguf --weights",
      "modeltracer inspect adapter.gguf --json",
    },
    sortOptions = false)
final class InspectCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private ModelArguments model;
  @Mixin private ContextArguments context;
  @Mixin private ThresholdArguments limits;

  @Option(names = "--no-sites", description = "Do not load the model to look for places.")
  private boolean noSites;

  @Option(
      names = "--weights",
      description = "Scan all weights for NaN, Inf, absurd scales, zero rows and dead experts.")
  private boolean weights;

  @Heading(Heading.Topic.OUTPUT)
  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Override
  public Integer call() {
    var terminal = Terminal.of(spec);
    GgufFile gguf = GgufFile.read(model.file());
    boolean runs = gguf.kind() == GgufKind.MODEL;
    if (runs) {
      LoadChecks.require(gguf);
    }
    if (weights) {
      Trail.own().step("scanning the weights of", gguf.path());
      return new WeightReport(terminal, json)
          .scan(gguf, model.runtime(terminal), limits.thresholds())
          .code();
    }
    var report = new FileReport(gguf, noSites || !runs ? null : sites(gguf, terminal));
    if (json) {
      terminal.print(Json.pretty(report.toJson()));
    } else {
      report.print(terminal);
    }
    return ExitCode.PASS.code();
  }

  private List<FoundSite> sites(GgufFile gguf, Terminal terminal) {
    try (var loaded = LoadedModel.open(model, context, terminal);
        var tracer = new ModelTracer(TracerConfig.disabled());
        var session =
            TracedSession.open(
                loaded.model(),
                SessionOptions.defaults().withContext(context.options(gguf)),
                tracer)) {
      return session.sites();
    }
  }
}
