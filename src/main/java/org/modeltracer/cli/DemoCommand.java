package org.modeltracer.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Shows what the program does on the small model that comes with it. */
@Command(
    name = "demo",
    description = "Trace the small model that comes with the project.",
    sortOptions = false)
final class DemoCommand implements Callable<Integer> {
  private static final String MODEL = "tinyllama-mha-f32.gguf";
  private static final String PROMPT = "When you run the program, the compiler checks that";

  @Spec private CommandSpec spec;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "modeltracer-out",
      description = "Folder for summary.json and anomalies.jsonl (default: ${DEFAULT-VALUE}).")
  private Path out;

  @Override
  public Integer call() {
    return spec.root()
        .commandLine()
        .execute(
            "run",
            "-m",
            model().toString(),
            "-p",
            PROMPT,
            "-n",
            "48",
            "--temp",
            "0",
            "--out",
            out.toString());
  }

  private static Path model() {
    String home = System.getProperty("modeltracer.home", ".");
    Path model = Path.of(home, "models", MODEL);
    if (!Files.exists(model)) {
      throw new CliException(
          ExitCode.BAD_FILE, "the demo's model is missing: " + model.toAbsolutePath().normalize());
    }
    return model;
  }
}
