package org.modeltracer.session;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;
import jdk.jfr.Recording;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.testing.Faults;

/** A Java developer with docs/embedding.md: types its program, runs it, looks at its recording. */
class EmbeddingProgramTest {
  private static final Pattern PROGRAM = Pattern.compile("(?s)```java\n(import .*?)```");
  private static final Pattern SESSION =
      Pattern.compile("(?s)\\$ jfr (print[^\n]*) run\\.jfr\n(.*?)```");

  @TempDir Path folder;

  /** What the program prints when it is compiled and run. */
  private String run(String program, Path model) throws Exception {
    Path source = Files.writeString(folder.resolve("Embedded.java"), program);
    int compiled =
        ToolProvider.getSystemJavaCompiler()
            .run(
                null,
                null,
                null,
                "-proc:none",
                "-Xlint:all,-classfile,-path",
                "-Werror",
                "-d",
                folder.toString(),
                source.toString());
    assertThat(compiled).as("exit code of javac").isZero();
    var printed = new ByteArrayOutputStream();
    PrintStream before = System.out;
    try (var classes = new URLClassLoader(new URL[] {folder.toUri().toURL()})) {
      System.setOut(new PrintStream(printed, true, UTF_8));
      classes
          .loadClass("Embedded")
          .getMethod("main", String[].class)
          .invoke(null, (Object) new String[] {model.toString()});
    } finally {
      System.setOut(before);
    }
    return printed.toString(UTF_8);
  }

  @Test
  void theProgramRunsAndItsRecordingIsAsShown() throws Exception {
    String page = Files.readString(Path.of("docs/embedding.md"));
    Matcher program = PROGRAM.matcher(page);
    assertThat(program.find()).isTrue();
    String healthy = run(program.group(1), Path.of("models/tinyllama-mha-f32.gguf"));
    assertThat(healthy.lines())
        .startsWith("0: 0 '<|bos|>'")
        .endsWith("8 tokens, LENGTH", "8 passes, 0 run again")
        .noneMatch(line -> line.startsWith("critical"));

    Path recorded = folder.resolve("run.jfr");
    try (var recording = new Recording()) {
      recording.enable("modeltracer.Text").withoutThreshold();
      recording.enable("modeltracer.RootCause");
      recording.start();
      String broken = run(program.group(1), Faults.make("f01_nan_ffn_down_l2", folder));
      assertThat(broken.lines())
          .anyMatch(line -> line.startsWith("critical: ffn_out-2"))
          .anyMatch(line -> line.startsWith("cause: ") && line.contains("blk.2.ffn_down.weight"));
      recording.dump(recorded);
    }

    Matcher session = SESSION.matcher(page);
    assertThat(session.find()).isTrue();
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "jfr").toString());
    command.addAll(List.of(session.group(1).split(" ")));
    command.add(recorded.toString());
    Process jfr = new ProcessBuilder(command).redirectErrorStream(true).start();
    String shown = new String(jfr.getInputStream().readAllBytes(), UTF_8);
    assertThat(jfr.waitFor()).as(shown).isZero();
    // All names that the page shows are there, and what does not differ from run to run.
    for (String line : session.group(2).lines().toList()) {
      boolean varies = line.matches(".*(Time|duration|session|model|message) = .*|\\s*…|\\$.*");
      assertThat(shown).contains(varies ? line.replaceFirst("( = ).*|…", "$1") : line);
    }
  }
}
