package org.modeltracer.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.DoctorReport;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gate.Deadline;
import org.modeltracer.gate.FileHashes;
import org.modeltracer.gate.Gate;
import org.modeltracer.gate.GateResult;
import org.modeltracer.gate.checks.CheckRequest;
import org.modeltracer.gate.doctor.Consultation;
import org.modeltracer.gate.output.GateReport;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.gate.policy.PolicyFile;
import org.modeltracer.input.SmallFile;
import org.modeltracer.trace.Json;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Says what is wrong with a model that prints garbage, and what to try. */
@Heading(Heading.Topic.COMPARISON)
@Command(
    name = "doctor",
    description = {
      "Say what is wrong with a model that prints garbage.",
      "The root cause, or the suspects in order, each with its evidence and what to try.",
    },
    footer = {
      "modeltracer doctor model.gguf",
      "modeltracer doctor model.gguf -p \"The prompt that goes wrong\"",
      "modeltracer doctor model-Q4_K_M.gguf --reference model-f16.gguf",
    },
    sortOptions = false)
final class DoctorCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private ModelFile model;

  @Heading(Heading.Topic.PROMPT)
  @Option(
      names = {"-p", "--prompt"},
      paramLabel = "TEXT",
      description = "A prompt that goes wrong (default: the policy's prompts).")
  private List<String> prompts = List.of();

  @Option(
      names = "--reference",
      paramLabel = "FILE",
      description = "The file that it was made of, or one that works: parameters are compared.")
  private @Nullable Path reference;

  @Option(
      names = "--text",
      paramLabel = "FILE",
      description = "Text to measure its language on (default: plain English).")
  private @Nullable Path text;

  @Mixin private EngineArguments engine;

  @Heading(Heading.Topic.OUTPUT)
  @Option(names = "--json", description = "Print JSON, and nothing else.")
  private boolean json;

  @Mixin private HtmlOutput html;

  @Override
  public Integer call() {
    html.prepare();
    Path subject = model.file();
    if (reference != null && Files.notExists(reference)) {
      throw new CliException(ExitCode.USAGE, "--reference: no such file: " + reference);
    }
    var terminal = Terminal.of(spec);
    Policy policy = PolicyFile.preset("default");
    if (!prompts.isEmpty()) {
      policy = policy.withPrompts(prompts);
    }
    if (text != null) {
      policy = policy.withText(SmallFile.text(text, SmallFile.SETTINGS, SmallFile.PATIENCE));
    }
    var request = new CheckRequest(subject, reference, null, engine.engine(), policy);
    Thread judging = Thread.currentThread();
    try (var interrupt = new Interrupt()) {
      interrupt.cancels(judging::interrupt);
      GateResult result =
          Gate.judge(request, Deadline.in(policy.budget().time()), new CheckProgress(terminal));
      boolean interrupted = Thread.interrupted();
      terminal.progress("", 1, 1);
      var report = new DoctorReport(Consultation.of(result, !prompts.isEmpty()));
      html.write(
          String.valueOf(subject.getFileName()),
          () ->
              Map.of(
                  "doctor.json",
                  Json.line(report.toJson()),
                  "check.json",
                  Json.line(new GateReport(result, Map.of(), FileHashes.NONE).json())),
          terminal);
      if (json) {
        terminal.print(Json.pretty(report.toJson()));
      } else {
        report.print(terminal);
      }
      return (interrupted ? ExitCode.INTERRUPTED : CheckCommand.exitCode(result)).code();
    }
  }
}
