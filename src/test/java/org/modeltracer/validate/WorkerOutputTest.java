package org.modeltracer.validate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.modeltracer.process.BoundedLines;
import org.modeltracer.process.ExitStatus;
import org.modeltracer.process.LastWords;

/** What is read of a worker's output, and what it is taken for. */
class WorkerOutputTest {
  private static List<String> lines(String text, int longest) throws IOException {
    var lines = new ArrayList<String>();
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    assertThat(new BoundedLines(new ByteArrayInputStream(bytes), longest, 1 << 20).read(lines::add))
        .isTrue();
    return lines;
  }

  @Test
  void linesThatAreTooLongAreLeftOut() throws IOException {
    assertThat(lines("one\n\ntwo\n" + "x".repeat(9) + "\nthree", 8))
        .containsExactly("one", "two", "three");
    String long1 = "y".repeat(200_000);
    assertThat(lines("a\n" + long1 + "\nb", 300_000)).containsExactly("a", long1, "b");
    assertThat(lines("a\n" + long1 + "\nb", 100_000)).containsExactly("a", "b");
  }

  @Test
  void tooMuchIsRefused() throws IOException {
    var in = new ByteArrayInputStream(new byte[100_000]);
    assertThat(new BoundedLines(in, 10, 99_999).read(line -> {})).isFalse();
  }

  @Test
  void messagesComeBackAsTheyWere() {
    var evidence =
        new Evidence(
            "nan", org.modeltracer.anomaly.Severity.CRITICAL, "é\n", "t", "MUL_MAT", -1, 7L);
    var result =
        new CheckResult("a.b", Verdict.FAIL, Map.of("n", 1, "x", 0.5), "m", List.of(evidence));
    List<Message> messages =
        List.of(
            new Message.Begin("a.b"),
            new Message.Enter(Stage.TRACE),
            new Message.Leave(),
            new Message.Result(result),
            new Message.Trace(Map.of("total_forwards", 3)),
            new Message.LastWords("GGML_ASSERT"),
            new Message.End());
    for (Message message : messages) {
      String line = Wire.line("@t", message);
      assertThat(line).startsWith("\n@t").endsWith("\n");
      assertThat(line.strip()).doesNotContain("\n");
      assertThat(Wire.message("@t", line.strip())).contains(message);
      assertThat(Wire.message("@other", line.strip())).isEmpty();
    }
    assertThat(Wire.message("@t", "@t{\"type\":\"end\"")).isEmpty();
    var job =
        new Job("@t", "f", null, "lib", Policies.PATIENT, List.of("a.b"), Map.of(Stage.LOAD, "x"));
    assertThat(Wire.job(Wire.line(job))).isEqualTo(job);
  }

  @Test
  void aFailedAssertionIsTheReason() {
    var said = new LastWords();
    List.of("load: ok", "/x/ggml.c:7: GGML_ASSERT(a != b) failed", "", "dropped")
        .forEach(said::accept);
    assertThat(said.reason()).contains("/x/ggml.c:7: GGML_ASSERT(a != b) failed");
    assertThat(ExitStatus.words(134, null, said))
        .isEqualTo("SIGABRT: /x/ggml.c:7: GGML_ASSERT(a != b) failed");
    assertThat(ExitStatus.words(134, "heard", said)).isEqualTo("SIGABRT: heard");
  }

  @Test
  void javasOwnReportIsReducedToSignalAndFrame() {
    var said = new LastWords();
    """
    last line of the log
    #
    # A fatal error has been detected by the Java Runtime Environment:
    #
    #  SIGSEGV (0xb) at pc=0x00007f, pid=1, tid=2
    #
    # Problematic frame:
    # C  [libggml-cpu.so+0x1234]  ggml_vec_dot+0x10
    #
    Stack: at org.example.Main.main(Main.java:1)
    """
        .lines()
        .forEach(said::accept);
    assertThat(said.signal()).contains("SIGSEGV");
    assertThat(ExitStatus.words(134, null, said))
        .isEqualTo("SIGSEGV: in [libggml-cpu.so+0x1234]  ggml_vec_dot+0x10");
  }

  @Test
  void exitCodesThatAreNoSignalsSayTheirNumber() {
    assertThat(ExitStatus.words(3, null, new LastWords())).isEqualTo("exit code 3");
    assertThat(ExitStatus.words(128 + 64, null, new LastWords())).isEqualTo("signal 64");
    assertThat(ExitStatus.interrupted(130)).isTrue();
  }
}
