package org.modeltracer.attach;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.testing.Sample;
import org.modeltracer.trace.TraceListener;
import org.modeltracer.trace.TracerConfig;

/** Programs and tracers that are killed, stopped, or slow. */
@Tag("alone")
class RobustAttachTest {
  private static final Path MODEL = Path.of("models", "tinyllama-mha-f32.gguf");
  private static final int[] PROMPT = {1, 70, 31, 9, 55, 12, 7, 81, 30};

  @TempDir private static Path folder;
  private static Path agent;
  private static Path library;
  private static Path driver;

  @BeforeAll
  static void compile() throws Exception {
    agent = CCompiler.agent(folder);
    library = Runtimes.embedded("v0.5.0").orElseThrow();
    driver = CCompiler.driver(folder, library);
  }

  private static List<String> words(int generated) {
    return new Driven.Task(MODEL, 2, 1, true, generated, PROMPT).words();
  }

  private static String untraced(int generated) throws Exception {
    Process process = Driven.alone(driver, library, words(generated));
    String output = Driven.output(process);
    assertThat(process.waitFor()).isEqualTo(7);
    return output;
  }

  @Test
  void aKilledProgramLeavesWhatItTold() throws Exception {
    var random = new Random(17);
    long told = 0;
    int rounds = Sample.times(8, 200);
    for (int round = 0; round < rounds; round++) {
      try (var driven =
          new Driven(TracerConfig.full(), MODEL, 1 << 20, Attachment.Overflow.BLOCK)) {
        Process process = driven.start(agent, driver, library, words(400));
        process.waitFor(20 + random.nextInt(500), TimeUnit.MILLISECONDS);
        process.destroyForcibly();
        assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
        driven.attachment.close();
        assertThat(driven.notes).isEmpty();
        assertThat(driven.ended).hasSameSizeAs(driven.tracers);
        for (int i = 0; i < driven.tracers.size(); i++) {
          long forwards = driven.tracers.get(i).summary().totalForwards();
          told += forwards;
          assertThat(driven.rows.get(i).rows.size())
              .isLessThanOrEqualTo((int) (16 * (forwards + 8)));
        }
      }
      assertThat(mappings()).isEmpty();
    }
    assertThat(told).isPositive();
  }

  /** Memory of ours that this process still has. */
  private static List<String> mappings() throws IOException {
    return Files.readAllLines(Path.of("/proc/self/maps")).stream()
        .filter(line -> line.contains("memfd:modeltracer"))
        .toList();
  }

  @Test
  void aProgramOutlivesItsTracer() throws Exception {
    String expected = untraced(60);
    var random = new Random(18);
    int rounds = Sample.times(3, 200);
    for (int round = 0; round < rounds; round++) {
      Path output = folder.resolve("output-" + round);
      Process tracer = tracer(output, 60);
      long pid = pid(tracer);
      Thread.sleep(random.nextInt(150));
      tracer.destroyForcibly().waitFor();
      finish(pid);
      assertThat(Files.readString(output)).isEqualTo(expected);
      Files.delete(output);
    }
  }

  /** A tracer that is stopped holds the program up for as long as its patience lasts, once. */
  @Test
  void aProgramDoesNotWaitForATracerThatStandsStill() throws Exception {
    String expected = untraced(400);
    Path output = folder.resolve("output-stopped");
    Process tracer = tracer(output, 400);
    long pid = pid(tracer);
    Thread.sleep(100);
    new ProcessBuilder("kill", "-STOP", "" + tracer.pid()).start().waitFor();
    try {
      finish(pid);
      assertThat(Files.readString(output)).isEqualTo(expected);
    } finally {
      tracer.destroyForcibly().waitFor();
    }
  }

  private static Process tracer(Path output, int generated) throws IOException {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of("--enable-native-access=ALL-UNNAMED", "-Xshare:auto", "-XX:+UseSerialGC"));
    command.add("-Dmodeltracer.home=" + Path.of("").toAbsolutePath());
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(TracerProgram.class.getName());
    for (Path path : List.of(agent, driver, library, output, MODEL)) {
      command.add(path.toString());
    }
    command.addAll(words(generated));
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }

  private static long pid(Process tracer) throws IOException {
    try (var in =
        new BufferedReader(
            new InputStreamReader(tracer.getInputStream(), StandardCharsets.UTF_8))) {
      return Long.parseLong(in.readLine());
    }
  }

  /** Waits for a process that is no child of this one. */
  private static void finish(long pid) throws Exception {
    long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (runs(pid)) {
      assertThat(System.nanoTime()).as("the program hangs").isLessThan(end);
      Thread.sleep(5);
    }
  }

  private static boolean runs(long pid) throws IOException {
    try {
      String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
      return stat.charAt(stat.lastIndexOf(')') + 2) != 'Z';
    } catch (NoSuchFileException gone) {
      return false;
    }
  }

  /** Takes its time with each row. */
  private static final class Slow implements TraceListener {
    private final long nanos;

    Slow(long nanos) {
      this.nanos = nanos;
    }

    @Override
    public void onAttentionRow(AttentionRow row) {
      long end = System.nanoTime() + nanos;
      while (System.nanoTime() < end) {
        Thread.onSpinWait();
      }
    }
  }

  @Test
  void whatDoesNotFitIsWaitedFor() throws Exception {
    String expected = untraced(30);
    try (var driven = slow(Attachment.Overflow.BLOCK, 200_000)) {
      Process process = driven.start(agent, driver, library, words(30));
      assertThat(Driven.output(process)).isEqualTo(expected);
      driven.attachment.close();
      assertThat(driven.ended).allMatch(context -> context.dropped() == 0);
      assertThat(driven.tracers).allMatch(t -> t.summary().totalForwards() == 30);
      assertThat(driven.rows).allMatch(book -> book.rows.size() == 16 * (PROMPT.length + 29));
    }
  }

  @Test
  void whatDoesNotFitIsLeftOutAndCounted() throws Exception {
    String expected = untraced(150);
    try (var driven = slow(Attachment.Overflow.DROP, 300_000)) {
      Process process = driven.start(agent, driver, library, words(150));
      assertThat(Driven.output(process)).isEqualTo(expected);
      driven.attachment.close();
      assertThat(driven.notes).isEmpty();
      assertThat(driven.ended).hasSize(2).allMatch(context -> context.dropped() > 0);
      assertThat(driven.ended).allMatch(context -> context.failure() == null);
    }
  }

  private static Driven slow(Attachment.Overflow overflow, long nanos) {
    return new Driven(TracerConfig.full(), MODEL, 1 << 20, overflow, new Slow(nanos));
  }
}
