package org.modeltracer.cli;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * The program in another process, command after command without a new start, until one of them
 * brings it down.
 */
final class ManyCommands implements AutoCloseable {
  private static final String ANSWERED = "answered ";
  private static final int PATIENCE_SECONDS = 120;

  private final Path folder;
  private @Nullable Process process;
  private @Nullable BufferedReader answers;

  /** Processes that take their notes in a folder. */
  ManyCommands(Path folder) {
    this.folder = folder;
  }

  /** What a command answers; null when it took the process down. */
  @Nullable Cli run(List<String> words, Path home) throws IOException, InterruptedException {
    if (process == null || !process.isAlive()) {
      start();
    }
    BufferedWriter commands = process.outputWriter();
    commands.write(home + "\t" + String.join("\t", words) + "\n");
    commands.flush();
    String line = answer();
    if (line == null) {
      process.waitFor();
      return null;
    }
    int code = Integer.parseInt(line.substring(ANSWERED.length()));
    return new Cli(
        code,
        Files.readString(folder.resolve("out.txt")),
        Files.readString(folder.resolve("err.txt")));
  }

  private @Nullable String answer() throws InterruptedException {
    var answer =
        CompletableFuture.supplyAsync(
            () -> answers.lines().filter(l -> l.startsWith(ANSWERED)).findFirst().orElse(null));
    try {
      return answer.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (TimeoutException e) {
      process.destroyForcibly();
      throw new AssertionError("no answer within " + PATIENCE_SECONDS + " s", e);
    } catch (ExecutionException e) {
      return null;
    }
  }

  private void start() throws IOException {
    process =
        new ProcessBuilder(
                "/bin/sh",
                "-c",
                "ulimit -c 0; exec \"$@\"",
                "sh",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-XX:+SuppressFatalErrorMessage",
                "-Xmx1g",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                ManyCommands.class.getName(),
                folder.toString())
            .redirectError(folder.resolve("worker.txt").toFile())
            .start();
    answers = process.inputReader();
  }

  /** The most memory that the process has had, in bytes; 0 where the system does not say. */
  long peak() throws IOException {
    Path status = Path.of("/proc/" + (process == null ? 0 : process.pid()) + "/status");
    if (!Files.isReadable(status)) {
      return 0;
    }
    return Files.readAllLines(status).stream()
        .filter(line -> line.startsWith("VmHWM:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
        .findFirst()
        .orElse(0);
  }

  @Override
  public void close() {
    if (process != null) {
      process.destroyForcibly();
    }
  }

  /** The other process: a command a line, the home of the program first. */
  static void main(String[] args) throws IOException {
    Path folder = Path.of(args[0]);
    Reader in = new InputStreamReader(System.in, StandardCharsets.UTF_8);
    try (var lines = new BufferedReader(in)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        List<String> words = List.of(line.split("\t", -1));
        System.setProperty("modeltracer.home", words.getFirst());
        Cli cli = Cli.run(words.subList(1, words.size()).toArray());
        Files.writeString(folder.resolve("out.txt"), cli.out());
        Files.writeString(folder.resolve("err.txt"), cli.err());
        System.out.println(ANSWERED + cli.code());
      }
    }
  }
}
