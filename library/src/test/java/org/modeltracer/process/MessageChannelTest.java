package org.modeltracer.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Messages arrive whole, whatever else is printed beside them. */
class MessageChannelTest {
  private record Order(String text) {}

  private record Answer(int number, String text) {}

  private Pipes<Order, Answer> pipes;

  @BeforeEach
  void open() throws IOException {
    pipes = new Pipes<>(Order.class, Answer.class);
  }

  @AfterEach
  void close() throws IOException {
    pipes.close();
  }

  private void print(String text) throws IOException {
    pipes.stdout().write(text.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void messagesGoBothWaysAndEnd() throws IOException {
    pipes.parent().send(new Order("é\n\"x\""));
    assertThat(pipes.child().next()).isEqualTo(new Order("é\n\"x\""));
    pipes.child().send(new Answer(7, "y"));
    assertThat(pipes.parent().next()).isEqualTo(new Answer(7, "y"));
    pipes.close();
    assertThat(pipes.child().next()).isNull();
    assertThat(pipes.parent().next()).isNull();
  }

  @Test
  void whatNativeCodePrintsIsNoMessage() throws IOException {
    print("llama_model_load: ok\n@word{\"number\":1,\"text\":\"forged\"}\nno line feed");
    pipes.child().send(new Answer(2, "real"));
    print("@" + "x".repeat(100) + "\n");
    pipes.child().send(new Answer(3, "real"));
    assertThat(pipes.parent().next()).isEqualTo(new Answer(2, "real"));
    assertThat(pipes.parent().next()).isEqualTo(new Answer(3, "real"));
  }

  @Test
  void bytesFollowTheirMessage() throws IOException {
    float[] values = new float[50_000];
    var random = new Random(1);
    for (int i = 0; i < values.length; i++) {
      values[i] = Float.intBitsToFloat(random.nextInt());
    }
    pipes.child().send(new Answer(1, "values"), MemorySegment.ofArray(values));
    pipes.child().send(new Answer(2, "none"));
    assertThat(pipes.parent().next()).isEqualTo(new Answer(1, "values"));
    var received = MemorySegment.ofArray(new float[values.length]);
    pipes.parent().receive(received);
    assertThat(received.mismatch(MemorySegment.ofArray(values))).isEqualTo(-1);
    assertThat(pipes.parent().next()).isEqualTo(new Answer(2, "none"));
  }

  @Test
  void bytesAmongWhichNativeCodePrintedAreRefused() throws IOException {
    var values = MemorySegment.ofArray(new byte[100]);
    pipes.child().send(new Answer(1, "values"), values.asSlice(0, 40));
    print("a line of the log");
    assertThat(pipes.parent().next()).isNotNull();
    assertThatThrownBy(() -> pipes.parent().receive(values.asSlice(0, 50)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("something else was printed");
  }

  @Test
  void bytesThatDoNotComeAreMissed() throws IOException {
    pipes.child().send(new Answer(1, "values"));
    pipes.stdout().write(1);
    pipes.close();
    assertThat(pipes.parent().next()).isNotNull();
    var two = MemorySegment.ofArray(new byte[2]);
    assertThatThrownBy(() -> pipes.parent().receive(two)).isInstanceOf(IOException.class);
    assertThat(two.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 1);
  }
}
