package org.modeltracer.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.process.SupervisedProgram;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The program: see inside a local GGUF model while it runs. */
@Command(
    name = "modeltracer",
    description = "See inside a local GGUF model while it runs.",
    mixinStandardHelpOptions = true,
    scope = ScopeType.INHERIT,
    versionProvider = Main.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    footer = {
      "modeltracer demo",
      "modeltracer run model.gguf -p \"Once upon a time\"",
      "modeltracer doctor model.gguf",
      "modeltracer check model-Q4_K_M.gguf --reference model-f16.gguf"
    })
public final class Main implements Runnable {
  static final String UNWRITABLE = "stdout cannot be written: its disk is full, or its reader left";

  private static final Map<String, Supplier<Callable<Integer>>> COMMANDS = commands();

  @Spec private CommandSpec spec;

  @Option(
      names = "--in-process",
      scope = ScopeType.INHERIT,
      order = Integer.MAX_VALUE,
      description = "Run the model in this process, to debug it; its crash is then this program's.")
  @SuppressWarnings("UnusedVariable") // Launch has looked for it among the words.
  private boolean inProcess;

  private Main() {}

  /** Runs the program in this process and ends it with its exit code. */
  public static void main(String[] args) {
    SupervisedProgram.follow();
    var out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    var err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    SupervisedProgram.exit(run(out, err, args));
  }

  /** Runs the program within this process; returns its exit code. */
  static int run(PrintWriter out, PrintWriter err, String... args) {
    try {
      int code = commandLine(out, err, args).execute(args);
      if (out.checkError()) {
        err.println("modeltracer: " + UNWRITABLE);
        return ExitCode.FAILURE.code();
      }
      return code;
    } catch (Error e) {
      return Failures.ofJava(e, err);
    } finally {
      out.flush();
      err.flush();
    }
  }

  /** Runs another command on the streams of this one; returns its exit code. */
  static int run(CommandLine streams, String... args) {
    return run(streams.getOut(), streams.getErr(), args);
  }

  private static Map<String, Supplier<Callable<Integer>>> commands() {
    var commands = new LinkedHashMap<String, Supplier<Callable<Integer>>>();
    commands.put("run", RunCommand::new);
    commands.put("demo", DemoCommand::new);
    commands.put("inspect", InspectCommand::new);
    commands.put("heads", HeadsCommand::new);
    commands.put("diff", DiffCommand::new);
    commands.put("attention", AttentionCommand::new);
    commands.put("sparse", SparseCommand::new);
    commands.put("check", CheckCommand::new);
    commands.put("doctor", DoctorCommand::new);
    commands.put("lens", LensCommand::new);
    commands.put("perplexity", PerplexityCommand::new);
    commands.put("export", ExportCommand::new);
    commands.put("attach", AttachCommand::new);
    commands.put("bench", BenchCommand::new);
    commands.put("report", ReportCommand::new);
    return commands;
  }

  /** The program with the command that the first word names, else with all of them. */
  static CommandLine commandLine(PrintWriter out, PrintWriter err, String... args) {
    var failures = new Failures();
    var program = new CommandLine(new Main());
    // Reading the options of a command by reflection is most of what a start costs.
    Supplier<Callable<Integer>> only = args.length == 0 ? null : COMMANDS.get(args[0]);
    if (only != null) {
      program.addSubcommand(args[0], only.get());
    } else {
      COMMANDS.forEach((name, command) -> program.addSubcommand(name, command.get()));
    }
    HelpPage.of(program, Terminal::columns);
    return program
        .setColorScheme(Help.defaultColorScheme(Terminal.ansi()))
        .setOut(out)
        .setErr(err)
        // A file named @x must not be read for more options.
        .setExpandAtFiles(false)
        .setExecutionStrategy(new AmbiguousNames())
        .setCaseInsensitiveEnumValuesAllowed(true)
        // -cnv is not -c nv.
        .setPosixClusteredShortOptionsAllowed(false)
        .setParameterExceptionHandler(failures)
        .setExecutionExceptionHandler(failures);
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "no command given");
  }

  /** Version for {@code --version}. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {Launch.version()};
    }
  }
}
