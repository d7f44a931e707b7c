package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.llama.AgentFiles;
import org.modeltracer.llama.LlamaException;

/** What {@code attach} says, and that the program it runs stays itself. */
class AttachCommandTest {
  @TempDir private static Path folder;

  @Test
  void whatCannotBeMeantIsRefused() {
    refused("name a program", "attach");
    refused("name a program", "attach", "--pid", "1", "--", "true");
    refused("--ring takes a power of two", "attach", "--ring", "3", "--", "true");
    built();
    refused("--overflow takes block or drop", "attach", "--overflow", "x", "--", "true");
    refused("cannot start", "attach", "--out", folder.resolve("none"), "--", "./no-such-program");
    refused("no process", "attach", "--out", folder.resolve("gone"), "--pid", 1 << 21);
  }

  private static void refused(String message, Object... words) {
    Cli refused = Cli.run(words);
    assertThat(refused.code()).isEqualTo(2);
    assertThat(refused.message()).contains(message);
    assertThat(refused.out()).isEmpty();
  }

  /** The build compiles the agent where there is a C compiler. */
  private static void built() {
    try {
      AgentFiles.library();
    } catch (LlamaException e) {
      assertThat(e).hasMessageContaining("C compiler");
      assumeTrue(false, "no agent was built here");
    }
  }

  @Test
  void theProgramsOutputAndEndAreItsOwn() throws Exception {
    built();
    Ended ended = attach("sh", "-c", "read word; echo \"got $word\"; exit 9");
    assertThat(ended.out).isEqualTo("got it\n");
    assertThat(ended.code).isEqualTo(9);
    assertThat(ended.err).contains("nothing traced");
    Ended killed = attach("sh", "-c", "kill -9 $$");
    assertThat(killed.code).isEqualTo(137);
    assertThat(killed.err).contains("SIGKILL ended the program");
  }

  private record Ended(int code, String out, String err) {}

  /** In a process of its own, as the program shares its streams. */
  private static Ended attach(String... program) throws Exception {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC"));
    command.add("-Dmodeltracer.home=" + Path.of("").toAbsolutePath());
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    command.addAll(List.of("attach", "--out", folder.resolve("out").toString(), "--"));
    command.addAll(List.of(program));
    Process process = new ProcessBuilder(command).start();
    try (var in = process.getOutputStream()) {
      in.write("it\n".getBytes(StandardCharsets.UTF_8));
    }
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Ended(process.waitFor(), out, err);
  }
}
