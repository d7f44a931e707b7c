package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.llama.ffi.Linked;

/** What is left of a process in which ggml fails an assertion, seen from outside. */
class AbortTest {
  private static final int OWN_EXIT = 42;

  @TempDir Path folder;

  /** The process that will not live. */
  static final class Victim {
    private Victim() {}

    public static void main(String[] arguments) throws Throwable {
      LlamaRuntime runtime = LlamaRuntime.load(Path.of(arguments[0]));
      if (arguments[1].equals("listen")) {
        runtime.onAbort(
            message -> {
              System.out.println("heard: " + message);
              Runtime.getRuntime().halt(OWN_EXIT);
            });
      }
      try (Arena arena = Arena.ofConfined()) {
        Linked.function(runtime.library(), "ggml_abort", "pip:v")
            .invokeExact(
                arena.allocateFrom("made-up.c").address(),
                7,
                arena.allocateFrom("made-up reason").address());
      }
    }
  }

  private record Outcome(int exit, String output) {}

  private Outcome run(LlamaRuntime runtime, String mode) throws IOException, InterruptedException {
    String command = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    Path output = folder.resolve("output.txt");
    Process process =
        new ProcessBuilder(
                List.of(
                    command,
                    "--enable-native-access=ALL-UNNAMED",
                    "-XX:+SuppressFatalErrorMessage",
                    "-cp",
                    System.getProperty("java.class.path"),
                    Victim.class.getName(),
                    runtime.file().toString(),
                    mode))
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("ended by itself").isTrue();
    return new Outcome(process.exitValue(), Files.readString(output));
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void theReasonIsTold(LlamaRuntime runtime) throws IOException, InterruptedException {
    Outcome outcome = run(runtime, "silent");
    assertThat(outcome.exit()).isNotIn(0, 1, OWN_EXIT);
    assertThat(outcome.output()).contains("made-up.c:7: made-up reason");
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void aListenerIsTheLastToAct(LlamaRuntime runtime) throws IOException, InterruptedException {
    Outcome outcome = run(runtime, "listen");
    if (runtime.library().has("ggml_set_abort_callback")) {
      assertThat(outcome.output()).contains("heard: made-up.c:7: made-up reason");
      assertThat(outcome.exit()).isEqualTo(OWN_EXIT);
    } else {
      assertThat(outcome.exit()).isNotIn(0, 1, OWN_EXIT);
    }
  }
}
