package org.modeltracer.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attach.Attachment;
import org.modeltracer.cli.export.OutputFolder;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.AgentFiles;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.process.ExitStatus;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Traces llama.cpp in a program of somebody else's. */
@Heading(Heading.Topic.TRACING)
@Command(
    name = "attach",
    description = {
      "Run any program that loads llama.cpp as a shared library, and trace it.",
      "Its input, output and exit code stay its own: what is traced is said on stderr, when the"
          + " program has ended, and written to --out.",
    },
    footer = {
      "modeltracer attach -- llama-server -m model.gguf",
      "modeltracer attach --trace lightweight -- node chat.js",
      "modeltracer attach --pid 4711 --seconds 30",
    },
    sortOptions = false)
final class AttachCommand implements Callable<Integer> {
  private static final int MEBI = 20;
  private static final int POLL_MILLIS = 100;

  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "COMMAND", description = "The program, after --, with its arguments.")
  private List<String> command = List.of();

  @Option(
      names = "--pid",
      paramLabel = "PID",
      defaultValue = "0",
      description =
          "Trace a process that runs already, until it ends or this is interrupted, after which it"
              + " goes on untraced.")
  private long pid;

  @Option(
      names = "--seconds",
      paramLabel = "N",
      defaultValue = "0",
      description = "With --pid: how long to trace (default: until interrupted).")
  private int seconds;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "FILE",
      description = "The model, for the texts of its tokens, where the program has not mapped it.")
  private @Nullable Path model;

  @Mixin private TraceArguments trace;

  @Option(
      names = "--overflow",
      paramLabel = "WHAT",
      defaultValue = "block",
      description =
          "When more is told than can be read: block lets the program wait, two seconds at most;"
              + " drop leaves it out (default: ${DEFAULT-VALUE}).")
  private String overflow = "block";

  @Option(
      names = "--ring",
      paramLabel = "MIB",
      defaultValue = "64",
      description =
          "Memory between program and tracer, a power of two (default: ${DEFAULT-VALUE}).")
  private int ring;

  @Option(
      names = "--replay",
      description =
          "When the program has shown bad values, run its tokens again in this process, and say"
              + " their root cause.")
  private boolean replay;

  @Heading(Heading.Topic.OUTPUT)
  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "modeltracer-out/attach",
      description =
          "Folder for what run writes too; further contexts get folders in it"
              + " (default: ${DEFAULT-VALUE}).")
  private Path out;

  @Mixin private HtmlOutput html;
  @Mixin private LivePage live;

  @Override
  public Integer call() {
    if (command.isEmpty() == (pid == 0) || pid < 0 || seconds < 0) {
      throw new CliException(
          ExitCode.USAGE, "name a program, attach -- COMMAND …, or a process, attach --pid PID");
    }
    if (ring < 1 || ring > 1 << 10 || Integer.bitCount(ring) != 1) {
      throw new CliException(ExitCode.USAGE, "--ring takes a power of two from 1 to 1024");
    }
    if (trace.lens()) {
      throw new CliException(
          ExitCode.USAGE, "--trace lens needs the model's weights in this process: run has it");
    }
    html.prepare();
    var terminal = Terminal.of(spec);
    Path agent = AgentFiles.library();
    GgufFile named = model == null ? null : GgufFile.read(model);
    LlamaRuntime runtime = LlamaRuntime.load();
    runtime.onLog(line -> {});
    OutputFolder.claim(out);
    int code;
    try (var interrupt = new Interrupt();
        LivePage page = live.open(terminal);
        var runs = new AttachedRuns(runtime, trace.config(), out, named, replay, page, terminal)) {
      code = traced(agent, runtime, runs, interrupt, terminal);
      runs.finish();
      if (html.wanted()) {
        html.write(runs.reports(), terminal);
      }
      if (!runs.any()) {
        terminal.note(
            "modeltracer: nothing traced: the program made no forward pass through a shared"
                + " llama.cpp; docs/attach.md says which programs cannot be traced");
      }
    }
    return code;
  }

  private int traced(
      Path agent, LlamaRuntime runtime, AttachedRuns runs, Interrupt interrupt, Terminal terminal) {
    try (var attachment =
        new Attachment(
            runtime, (long) ring << MEBI, overflow(), trace.extraSites(), runs::model, runs)) {
      if (pid > 0) {
        attachment.inject(pid, AgentFiles.injector(), agent);
        return followed(interrupt);
      }
      Process process = start(attachment, agent);
      // Who interrupts at the terminal interrupts the program too; a SIGTERM is handed on.
      interrupt.cancels(process::destroy);
      int code = ended(process);
      ExitStatus.signal(code)
          .ifPresent(signal -> terminal.note("modeltracer: " + signal + " ended the program"));
      return code;
    }
  }

  /** Waits until the process has ended, the time is over, or somebody interrupts. */
  private int followed(Interrupt interrupt) {
    var over = new CountDownLatch(1);
    interrupt.cancels(over::countDown);
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    try {
      while (!over.await(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
        boolean ended = ProcessHandle.of(pid).filter(ProcessHandle::isAlive).isEmpty();
        if (ended || seconds > 0 && System.nanoTime() > end) {
          break;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return ExitCode.PASS.code();
  }

  private Process start(Attachment attachment, Path agent) {
    var builder = new ProcessBuilder(command).inheritIO();
    attachment.into(builder.environment(), agent.toString());
    try {
      return builder.start();
    } catch (IOException e) {
      throw new CliException(
          ExitCode.USAGE,
          "cannot start %s: is it there, and a program?".formatted(command.getFirst()));
    }
  }

  private static int ended(Process process) {
    while (true) {
      try {
        return process.waitFor();
      } catch (InterruptedException e) {
        process.destroy();
      }
    }
  }

  private Attachment.Overflow overflow() {
    return switch (overflow) {
      case "block" -> Attachment.Overflow.BLOCK;
      case "drop" -> Attachment.Overflow.DROP;
      default ->
          throw new CliException(
              ExitCode.USAGE, "--overflow takes block or drop, not '" + overflow + "'");
    };
  }
}
