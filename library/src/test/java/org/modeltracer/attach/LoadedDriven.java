package org.modeltracer.attach;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The driver as a library in a JVM that traces it itself. */
final class LoadedDriven {
  private LoadedDriven() {}

  /** Rows of attention that it saw, in order; the program must end as it does untraced. */
  static List<Driven.RowBook.Row> rows(
      Path folder, Path library, Map<String, String> environment, Driven.Task task)
      throws Exception {
    Path driver = CCompiler.driverLibrary(folder, library);
    Path source = folder.resolve("LoadedDriver.java");
    try (InputStream in = LoadedDriven.class.getResourceAsStream("LoadedDriver.java")) {
      Files.copy(in, source, StandardCopyOption.REPLACE_EXISTING);
    }
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Xss16m"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), source.toString()));
    command.add(driver.toAbsolutePath().toString());
    command.addAll(task.words());
    var builder = new ProcessBuilder(command);
    builder.redirectError(folder.resolve("loaded.log").toFile());
    builder.environment().putAll(environment);
    builder.environment().put("DRIVER_BACKENDS", library.getParent().toAbsolutePath().toString());
    Process process = builder.start();
    List<String> lines = Driven.output(process).lines().toList();
    assertThat(process.waitFor()).as(Files.readString(folder.resolve("loaded.log"))).isZero();
    assertThat(lines).noneMatch(line -> line.startsWith("NOTE")).contains("CODE 7");
    assertThat(lines).anyMatch(line -> line.startsWith("END null "));
    return lines.stream().filter(l -> l.startsWith("ROW ")).map(LoadedDriven::row).toList();
  }

  private static Driven.RowBook.Row row(String line) {
    String[] words = line.split(" ");
    float[] weights = new float[words.length - 6];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = Float.parseFloat(words[i + 6]);
    }
    return new Driven.RowBook.Row(
        Integer.parseInt(words[1]),
        Integer.parseInt(words[2]),
        Integer.parseInt(words[3]),
        Integer.parseInt(words[4]),
        Integer.parseInt(words[5]),
        weights);
  }
}
