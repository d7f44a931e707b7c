package org.modeltracer.attach;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The C compiler of this machine; tests that need it are left out where there is none. */
public final class CCompiler {
  private static final Path AGENT = Path.of("native", "agent");

  private CCompiler() {}

  /** The agent, compiled as the build compiles it. */
  public static Path agent(Path folder) throws IOException, InterruptedException {
    Path library = folder.resolve("libmodeltracer-agent.so");
    if (!Files.exists(library)) {
      run(AGENT, List.of("cc", "@agent.args", "-o", library.toAbsolutePath().toString()));
    }
    return library;
  }

  /** The program that loads it into others. */
  static Path injector(Path folder) throws IOException, InterruptedException {
    Path program = folder.resolve("modeltracer-inject");
    if (!Files.exists(program)) {
      run(AGENT, List.of("cc", "@inject.args", "-o", program.toAbsolutePath().toString()));
    }
    return program;
  }

  /** A program of the tests' resources, linked with a llama.cpp. */
  public static Path driver(Path folder, Path llama) throws IOException, InterruptedException {
    return driver(folder, llama, "driver-", List.of());
  }

  /** The same as a library, whose {@code main} others call. */
  static Path driverLibrary(Path folder, Path llama) throws IOException, InterruptedException {
    return driver(folder, llama, "libdriver-", List.of("-shared", "-fPIC"));
  }

  private static Path driver(Path folder, Path llama, String name, List<String> options)
      throws IOException, InterruptedException {
    Path source = folder.resolve("driver.c").toAbsolutePath();
    Path program = folder.resolve(name + llama.getParent().getParent().getFileName());
    try (InputStream in = CCompiler.class.getResourceAsStream("driver.c")) {
      Files.write(source, in.readAllBytes());
    }
    var command = new ArrayList<>(List.of("cc", "-O1", "-o", program.toString()));
    command.addAll(options);
    command.add(source.toString());
    try (Stream<Path> beside = Files.list(llama.getParent())) {
      beside
          .filter(
              f ->
                  f.getFileName()
                      .toString()
                      .matches("lib(j?llama|ggml|ggml-base)(\\.vulkan)?(\\.v[0-9.]+)?\\.so"))
          .sorted()
          .forEach(f -> command.add(f.toAbsolutePath().toString()));
    }
    command.addAll(List.of("-lpthread", "-Wl,-rpath," + llama.getParent().toAbsolutePath()));
    run(Path.of(""), command);
    return program;
  }

  static void run(Path in, List<String> command) throws IOException, InterruptedException {
    Process process;
    try {
      process =
          new ProcessBuilder(command)
              .directory(in.toAbsolutePath().toFile())
              .redirectErrorStream(true)
              .start();
    } catch (IOException e) {
      assumeTrue(false, "no C compiler here: " + e.getMessage());
      return;
    }
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IllegalStateException(String.join(" ", command) + "\n" + said);
    }
  }
}
