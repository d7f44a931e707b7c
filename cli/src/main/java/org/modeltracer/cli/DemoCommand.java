package org.modeltracer.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.UUID;
import java.util.concurrent.Callable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Shows a run of the small model that comes with the project, and the same model poisoned. */
@Heading(Heading.Topic.OUTPUT)
@Command(
    name = "demo",
    description = "Trace the small model that comes with the project, healthy and poisoned.",
    footer = {
      "modeltracer demo",
      "modeltracer demo --out traced",
    },
    sortOptions = false)
final class DemoCommand implements Callable<Integer> {
  private static final String MODEL = "tinyllama-mha-f32.gguf";

  /** As of all temporary folders: nobody else looks in. */
  private static final FileAttribute<?>[] OWN =
      FileSystems.getDefault().supportedFileAttributeViews().contains("posix")
          ? new FileAttribute<?>[] {
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))
          }
          : new FileAttribute<?>[0];

  private static final String WEIGHT = "blk.2.ffn_down.weight";
  private static final String COPY = "poisoned.gguf";
  private static final int ROW = 37;
  private static final int COLUMN = 101;
  private static final String PROMPT = "When you run the program, the compiler checks that";

  @Spec private CommandSpec spec;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "modeltracer-out/demo",
      description = "Folder for summary.json and anomalies.jsonl (default: ${DEFAULT-VALUE}).")
  private Path out;

  @Override
  public Integer call() throws IOException {
    Path model = model();
    int code = run(model, "48", "full", out);
    if (code != ExitCode.PASS.code()) {
      return code;
    }
    var terminal = Terminal.of(spec);
    Path folder =
        Path.of(System.getProperty("java.io.tmpdir"), "modeltracer-demo" + UUID.randomUUID());
    // Before there is anything to remove: nothing then can come between.
    var goingDown = new Thread(() -> remove(folder), "remove the demo's copy");
    Runtime.getRuntime().addShutdownHook(goingDown);
    Files.createDirectory(folder, OWN);
    try {
      Path copy = folder.resolve(COPY);
      poison(model, copy);
      terminal.println("");
      terminal.println(
          terminal.styled(
              "@|bold The same model with one weight of "
                  + WEIGHT
                  + " overwritten by NaN, in a temporary copy:|@"));
      terminal.println("");
      int found = run(copy, "4", "lightweight", out.resolve("poisoned"));
      return found == ExitCode.FINDINGS.code() ? ExitCode.PASS.code() : ExitCode.FAILURE.code();
    } finally {
      // The hook stays: it finds nothing left to do.
      remove(folder);
    }
  }

  private static void remove(Path folder) {
    try {
      Files.deleteIfExists(folder.resolve(COPY));
      Files.deleteIfExists(folder);
    } catch (IOException e) {
      // It lies among temporary files, which the system removes.
      return;
    }
  }

  private int run(Path model, String tokens, String trace, Path folder) {
    return Main.run(
        spec.commandLine(),
        "run",
        "-m",
        model.toString(),
        "-p",
        PROMPT,
        "-n",
        tokens,
        "-s",
        "7",
        "--trace",
        trace,
        "--out",
        folder.toString());
  }

  private static void poison(Path model, Path copy) throws IOException {
    Files.copy(model, copy);
    TensorInfo weight = GgufFile.read(model).tensor(WEIGHT).orElseThrow();
    try (FileChannel channel = FileChannel.open(copy, StandardOpenOption.WRITE)) {
      var nan = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putFloat(Float.NaN).flip();
      channel.write(nan, weight.offset() + 4 * (weight.dimension(0) * ROW + COLUMN));
    }
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
