package org.modeltracer.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What is read of a process's output, and what it is taken for. */
class OutputTest {
  private static List<String> lines(String text, int longest) throws IOException {
    var lines = new ArrayList<String>();
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    var in = new BoundedLines(new ByteArrayInputStream(bytes), longest, 1 << 20);
    for (String line = in.next(); line != null; line = in.next()) {
      lines.add(line);
    }
    assertThat(in.exceeded()).isFalse();
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
    var noise =
        new ByteArrayInputStream("a line\n".repeat(20_000).getBytes(StandardCharsets.UTF_8));
    var in = new BoundedLines(noise, 10, 139_999);
    int lines = 0;
    while (in.next() != null) {
      lines++;
    }
    assertThat(in.exceeded()).isTrue();
    assertThat(in.next()).isNull();
    assertThat(lines).isBetween(1, 19_999);
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
