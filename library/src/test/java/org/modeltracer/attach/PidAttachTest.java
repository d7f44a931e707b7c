package org.modeltracer.attach;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.testing.Sample;
import org.modeltracer.trace.TracerConfig;

/** A program in the middle of its generation, attached to and left again. */
@Tag("alone")
class PidAttachTest {
  private static final Path MODEL = Path.of("models", "tinyllama-mha-f32.gguf");
  private static final int[] PROMPT = {1, 70, 31, 9, 55, 12, 7, 81, 30};
  private static final int GENERATED = 490;

  @TempDir private static Path folder;
  private static Path agent;
  private static Path injector;
  private static Path library;
  private static Path driver;

  @BeforeAll
  static void compile() throws Exception {
    agent = CCompiler.agent(folder).toAbsolutePath();
    injector = CCompiler.injector(folder).toAbsolutePath();
    library = Runtimes.embedded("v0.5.0").orElseThrow();
    driver = CCompiler.driver(folder, library);
  }

  private static List<String> words(int repeat) {
    var words = new Driven.Task(MODEL, 1, 1, true, GENERATED, PROMPT).words();
    return List.of(
        words.get(0),
        words.get(1),
        words.get(2),
        words.get(3),
        words.get(4),
        "" + repeat,
        words.get(6));
  }

  private record Query(int layer, int head, int query) {}

  @Test
  void aProgramIsAttachedToAndLeftAgain() throws Exception {
    Map<Query, float[]> whole = new HashMap<>();
    String expected;
    try (var driven = driven()) {
      Process process = driven.start(agent, driver, library, words(1));
      expected = Driven.output(process);
      driven.attachment.close();
      driven.rows.getFirst().rows.forEach(r -> whole.put(query(r), r.weights()));
    }
    assertThat(whole).hasSize(16 * (PROMPT.length + GENERATED - 1));
    var random = new Random(5);
    int repeat = Sample.times(8, 80);
    Process process = Driven.alone(driver, library, words(repeat));
    var output = CompletableFuture.supplyAsync(() -> read(process));
    int seen = 0;
    for (int round = 0; round < Sample.times(4, 50) && process.isAlive(); round++) {
      Thread.sleep(random.nextInt(60));
      try (var driven = driven()) {
        driven.attachment.inject(process.pid(), injector, agent);
        Thread.sleep(100 + random.nextInt(100));
        driven.attachment.close();
        assertThat(driven.notes).isEmpty();
        for (Driven.RowBook book : driven.rows) {
          for (Driven.RowBook.Row row : book.rows) {
            assertThat(row.weights()).containsExactly(whole.get(query(row)), offset(1e-6f));
            seen++;
          }
        }
      }
    }
    assertThat(seen).isGreaterThan(100);
    assertThat(output.get()).isEqualTo(expected.repeat(repeat));
    assertThat(process.waitFor()).isEqualTo(7);
  }

  private static String read(Process process) {
    try {
      return Driven.output(process);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Query query(Driven.RowBook.Row row) {
    return new Query(row.layer(), row.head(), row.query());
  }

  private static Driven driven() {
    return new Driven(TracerConfig.full(), MODEL, 1 << 22, Attachment.Overflow.BLOCK);
  }

  @Test
  void whatCannotBeAttachedToSaysWhy() throws Exception {
    Process other = new ProcessBuilder("sleep", "20").start();
    try (var driven = driven()) {
      assertThatThrownBy(() -> driven.attachment.inject(other.pid(), injector, agent))
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("no library that calls a shared llama.cpp");
      assertThat(other.isAlive()).isTrue();
      assertThatThrownBy(() -> driven.attachment.inject(1L << 21, injector, agent))
          .hasMessageContaining("no process");
    } finally {
      other.destroyForcibly().waitFor();
    }
  }

  /** Without a loader in it there is nobody who could load the agent. */
  @Test
  void aStaticExecutableSaysWhy() throws Exception {
    Path source = folder.resolve("alone.c").toAbsolutePath();
    Path program = folder.resolve("alone").toAbsolutePath();
    Files.writeString(source, "#include <unistd.h>\nint main(void) { sleep(20); return 0; }\n");
    CCompiler.run(folder, List.of("cc", "-static", "-o", program.toString(), source.toString()));
    Process other = new ProcessBuilder(program.toString()).start();
    try (var driven = driven()) {
      assertThatThrownBy(() -> driven.attachment.inject(other.pid(), injector, agent))
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("a static executable");
      assertThat(other.isAlive()).isTrue();
    } finally {
      other.destroyForcibly().waitFor();
    }
  }

  /** Where this user may trace others' processes at all, those cannot open this one's memory. */
  @Test
  void aProcessOfAnotherUserSaysWhy() throws Exception {
    assumeTrue(
        Files.isExecutable(Path.of("/usr/bin/setpriv"))
            && System.getProperty("user.name").equals("root"),
        "only root can run a process as another user");
    var words = new ArrayList<>(List.of("setpriv", "--reuid=65534", "--clear-groups"));
    words.add(driver.toAbsolutePath().toString());
    words.addAll(words(200));
    folder.toFile().setExecutable(true, false);
    folder.toFile().setReadable(true, false);
    var builder = new ProcessBuilder(words).redirectOutput(ProcessBuilder.Redirect.DISCARD);
    builder.environment().put("DRIVER_BACKENDS", library.getParent().toAbsolutePath().toString());
    Process other = builder.start();
    try (var driven = driven()) {
      Thread.sleep(200);
      assumeTrue(other.isAlive(), "another user cannot read this checkout");
      assertThatThrownBy(() -> driven.attachment.inject(other.pid(), injector, agent))
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("another user");
      assertThat(other.isAlive()).isTrue();
    } finally {
      other.destroyForcibly().waitFor();
    }
  }
}
