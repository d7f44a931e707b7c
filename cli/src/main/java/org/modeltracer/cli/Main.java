package org.modeltracer.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.process.SupervisedProgram;
import org.modeltracer.session.RunDescription;
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
    subcommands = {
      RunCommand.class,
      DemoCommand.class,
      InspectCommand.class,
      HeadsCommand.class,
      DiffCommand.class,
      AttentionCommand.class,
      CheckCommand.class,
      DoctorCommand.class,
      LensCommand.class,
      PerplexityCommand.class,
      ExportCommand.class,
      BenchCommand.class
    },
    synopsisSubcommandLabel = "COMMAND",
    footer = {
      "modeltracer demo",
      "modeltracer run model.gguf -p \"Once upon a time\"",
      "modeltracer doctor model.gguf",
      "modeltracer check model-Q4_K_M.gguf --reference model-f16.gguf"
    })
public final class Main implements Runnable {
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
      int code = commandLine(out, err).execute(args);
      if (out.checkError()) {
        err.println("modeltracer: stdout cannot be written: its disk is full, or its reader left");
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

  static CommandLine commandLine(PrintWriter out, PrintWriter err) {
    var failures = new Failures();
    var program = new CommandLine(new Main());
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

  /** Version of this program, from the build. */
  static String version() {
    return RunDescription.version();
  }

  /** Version for {@code --version}. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"modeltracer " + version()};
    }
  }
}
