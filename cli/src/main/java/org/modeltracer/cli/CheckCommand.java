package org.modeltracer.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gate.Baseline;
import org.modeltracer.gate.Deadline;
import org.modeltracer.gate.FileHashes;
import org.modeltracer.gate.Gate;
import org.modeltracer.gate.GateResult;
import org.modeltracer.gate.checks.Catalogue;
import org.modeltracer.gate.checks.Check;
import org.modeltracer.gate.checks.CheckRequest;
import org.modeltracer.gate.output.GateReport;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.gate.policy.PolicyFile;
import org.modeltracer.gguf.ShardName;
import org.modeltracer.input.SmallFile;
import org.modeltracer.trace.Json;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Accepts or rejects model files. */
@Heading(Heading.Topic.POLICY)
@Command(
    name = "check",
    description = "Accept or reject model files, as a publisher does in CI.",
    footer = {
      "modeltracer check model.gguf",
      "modeltracer check models/ --policy strict --sarif gate.sarif",
      "modeltracer check model-Q4_K_M.gguf --reference model-f16.gguf",
      "modeltracer check model-Q4_K_M.gguf --kl-base f16.kld",
    },
    sortOptions = false)
final class CheckCommand implements Callable<Integer> {
  private static final long MEGABYTE = 1 << 20;

  @Spec private CommandSpec spec;

  @Heading(Heading.Topic.MODEL)
  @Parameters(
      paramLabel = "FILE…",
      arity = "0..*",
      description = "GGUF files, and folders: all that is named *.gguf in them and below.")
  private List<Path> files = new ArrayList<>();

  @Heading(Heading.Topic.MODEL)
  @Option(
      names = {"-m", "--model"},
      paramLabel = "FILE",
      description = "The same as naming it alone.")
  private List<Path> models = new ArrayList<>();

  @Heading(Heading.Topic.COMPARISON)
  @Option(
      names = "--reference",
      paramLabel = "FILE",
      description = "Compare with this file, such as the one that was quantized.")
  private @Nullable Path reference;

  @Heading(Heading.Topic.COMPARISON)
  @Option(
      names = {"--kl-base", "--kl-divergence-base"},
      paramLabel = "FILE",
      description =
          "Compare with a reference's predictions, written by perplexity --save-kl-base or"
              + " llama-perplexity, where the reference itself is not at hand.")
  private @Nullable Path klBase;

  @Heading(Heading.Topic.COMPARISON)
  @Option(
      names = "--text",
      paramLabel = "FILE",
      description = "Text for language.perplexity (default: the policy's, plain English).")
  private @Nullable Path text;

  @Option(
      names = "--policy",
      paramLabel = "POLICY",
      defaultValue = "default",
      description = "strict, default, smoke, or a file in YAML or JSON (default: default).")
  private String policy;

  @Option(
      names = "--baseline",
      paramLabel = "FILE",
      description = "An earlier summary.json: only what is worse fails.")
  private @Nullable Path baseline;

  @Option(names = "--list", description = "List the checks.")
  private boolean list;

  @Option(
      names = "--only",
      paramLabel = "ID,…",
      split = ",",
      description = "Run these checks alone; a group such as tokenizer will do.")
  private List<String> only = new ArrayList<>();

  @Option(names = "--skip", paramLabel = "ID,…", split = ",", description = "Do not run these.")
  private List<String> skip = new ArrayList<>();

  @Option(
      names = "--timeout",
      paramLabel = "SECONDS",
      description = "Time for each file (default: what the policy says).")
  private @Nullable Double timeout;

  @Option(
      names = "--memory",
      paramLabel = "MB",
      description =
          "Memory that the process with the model may take, 0 for no limit (default: what the"
              + " policy says; 80 %% of the machine's or container's).")
  private @Nullable Long memory;

  @Mixin private EngineArguments engine;
  @Mixin private CheckOutputs outputs;

  @Override
  public Integer call() {
    var terminal = Terminal.of(spec);
    if (list) {
      list(terminal);
      return ExitCode.PASS.code();
    }
    var named = new ArrayList<>(models);
    named.addAll(files);
    List<Path> all = models(named);
    if (all.isEmpty()) {
      throw new CliException(ExitCode.USAGE, "no file; name a GGUF file to check");
    }
    if (reference != null && Files.notExists(reference)) {
      throw new CliException(ExitCode.USAGE, "--reference: no such file: " + reference);
    }
    if (klBase != null && (Files.notExists(klBase) || Files.isDirectory(klBase))) {
      throw new CliException(ExitCode.USAGE, "--kl-base: no such file: " + klBase);
    }
    if (klBase != null && reference != null) {
      throw new CliException(ExitCode.USAGE, "give --reference or --kl-base, not both");
    }
    Policy asked = policy();
    Baseline known =
        asked.baseline() == null ? null : Baseline.read(Path.of(asked.baseline()), patience());
    outputs.prepare();
    var reports = new ArrayList<GateReport>();
    Thread judging = Thread.currentThread();
    try (var interrupt = new Interrupt()) {
      interrupt.cancels(judging::interrupt);
      for (Path file : all) {
        if (judging.isInterrupted()) {
          break;
        }
        reports.add(judge(file, asked, known, terminal));
      }
      boolean interrupted = Thread.interrupted();
      outputs.write(reports, terminal);
      return (interrupted ? ExitCode.INTERRUPTED : exitCode(reports)).code();
    }
  }

  /** The files to judge: of a split model, however many shards were named, the first. */
  private static List<Path> models(List<Path> named) {
    var all = new ArrayList<Path>();
    for (Path file : named.stream().flatMap(CheckCommand::found).toList()) {
      Optional<ShardName> shard = ShardName.of(file).filter(name -> name.count() > 1);
      Path first = shard.map(name -> name.sibling(1)).orElse(file);
      if (shard.isEmpty() || !all.contains(first)) {
        all.add(first);
      }
    }
    return all;
  }

  /** A file, or the models in a folder and below, by name. */
  private static Stream<Path> found(Path named) {
    if (!Files.isDirectory(named)) {
      return Stream.of(named);
    }
    try (Stream<Path> below =
        Files.walk(Files.isSymbolicLink(named) ? named.toRealPath() : named)) {
      List<Path> models =
          below
              .filter(Files::isRegularFile)
              .filter(file -> file.getFileName().toString().endsWith(".gguf"))
              .sorted()
              .toList();
      if (models.isEmpty()) {
        throw new CliException(ExitCode.NOTHING, "no file in " + named + " is named *.gguf");
      }
      return models.stream();
    } catch (IOException | UncheckedIOException e) {
      throw new CliException(
          ExitCode.USAGE, "cannot look for models in %s: %s".formatted(named, e.getMessage()));
    }
  }

  private GateReport judge(Path file, Policy asked, @Nullable Baseline known, Terminal terminal) {
    var progress = new CheckProgress(terminal);
    var request = new CheckRequest(file, reference, klBase, engine.engine(), asked);
    Deadline deadline = Deadline.in(asked.budget().time());
    GateResult result = Gate.judge(request, deadline, progress);
    FileHashes hashes = outputs.summarizes() ? FileHashes.of(file, deadline) : FileHashes.NONE;
    terminal.progress("", 1, 1);
    if (hashes.late()) {
      terminal.note(
          "modeltracer: note: no time was left to hash %s: its summary.json lacks hashes"
              .formatted(file));
    }
    return new GateReport(
        known == null ? result : known.forgive(result), progress.seconds(), hashes);
  }

  private Policy policy() {
    Policy asked = PolicyFile.named(policy, patience());
    var checks = new HashMap<String, Boolean>();
    if (!only.isEmpty()) {
      Catalogue.names().forEach(id -> checks.put(id, false));
      only.forEach(name -> named("--only", name).forEach(c -> checks.put(c.id(), true)));
    }
    skip.forEach(name -> named("--skip", name).forEach(c -> checks.put(c.id(), false)));
    Duration time = timeout == null ? asked.budget().time() : timeout(timeout);
    if (memory != null && (memory < 0 || memory > Long.MAX_VALUE / MEGABYTE)) {
      throw new CliException(ExitCode.USAGE, "--memory must be a number of megabytes, 0 for none");
    }
    long bytes = memory == null ? asked.budget().memoryBytes() : MEGABYTE * memory;
    asked = asked.withChecks(checks).within(new Policy.Budget(time, bytes));
    if (text != null) {
      asked = asked.withText(SmallFile.text(text, SmallFile.SETTINGS, patience()));
    }
    return baseline == null ? asked : asked.withBaseline(baseline.toString());
  }

  /** Time to wait for a policy or a baseline that is a pipe. */
  private Duration patience() {
    Duration given = timeout == null ? SmallFile.PATIENCE : timeout(timeout);
    return given.compareTo(SmallFile.PATIENCE) < 0 ? given : SmallFile.PATIENCE;
  }

  private static Duration timeout(double seconds) {
    if (!(seconds > 0 && seconds < 1e9)) {
      throw new CliException(ExitCode.USAGE, "--timeout must be a number of seconds above 0");
    }
    return Duration.ofMillis(Math.max(1, Math.round(1000 * seconds)));
  }

  private static List<Check> named(String option, String name) {
    List<Check> checks = Catalogue.matching(name);
    if (checks.isEmpty()) {
      throw new CliException(
          ExitCode.USAGE,
          "%s: no check is named '%s'; known: %s"
              .formatted(option, name, String.join(", ", Catalogue.names())));
    }
    return checks;
  }

  private void list(Terminal terminal) {
    if (outputs.json) {
      terminal.print(
          Json.pretty(
              Catalogue.checks().stream()
                  .map(
                      c -> {
                        var check = new LinkedHashMap<String, String>();
                        check.put("id", c.id());
                        check.put("needs", c.needs().name().toLowerCase(Locale.ROOT));
                        check.put("description", c.description());
                        return check;
                      })
                  .toList()));
      return;
    }
    for (Check check : Catalogue.checks()) {
      terminal.println(
          terminal.styled("@|bold %-22s|@".formatted(check.id())) + "  " + check.description());
    }
  }

  /** The worst of all files, a file of which nothing was checked being worse than a sound one. */
  private static ExitCode exitCode(List<GateReport> reports) {
    var codes = reports.stream().map(r -> exitCode(r.result())).toList();
    for (ExitCode worst :
        List.of(ExitCode.FAILURE, ExitCode.BAD_FILE, ExitCode.FINDINGS, ExitCode.NOTHING)) {
      if (codes.contains(worst)) {
        return worst;
      }
    }
    return ExitCode.PASS;
  }

  /** The exit code that says what the gate does. */
  static ExitCode exitCode(GateResult result) {
    if (result.unreadable()) {
      return ExitCode.BAD_FILE;
    }
    return switch (result.verdict()) {
      case PASS -> ExitCode.PASS;
      case FAIL -> ExitCode.FINDINGS;
      case SKIPPED -> ExitCode.NOTHING;
      case ERROR -> ExitCode.FAILURE;
    };
  }
}
