package org.modeltracer.input;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class SmallFileTest {
  private static final Duration SHORT = Duration.ofMillis(300);

  @TempDir Path folder;

  private void refused(Path file, String why) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> SmallFile.text(file, 1 << 20, SHORT))
        .withMessageContaining(file.toString())
        .withMessageContaining(why)
        .satisfies(e -> assertThat(e.getMessage().lines()).hasSize(1));
  }

  private Path pipe() throws IOException, InterruptedException {
    Path pipe = folder.resolve("pipe");
    assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor()).isZero();
    return pipe;
  }

  @Test
  void whatFitsIsRead() throws IOException {
    Path file = Files.writeString(folder.resolve("f"), "é\n".repeat(1 << 18));
    assertThat(SmallFile.text(file, 1 << 20, SHORT)).isEqualTo(Files.readString(file));
  }

  @Test
  void whatDoesNotIsRefused() throws IOException {
    refused(Files.write(folder.resolve("large"), new byte[(1 << 20) + 1]), "larger than 1 MiB");
    refused(Files.write(folder.resolve("binary"), new byte[] {(byte) 0xff}), "not UTF-8");
    refused(folder.resolve("absent"), "no such file");
    refused(folder, "is a directory");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void devicesAndPipesEnd() throws Exception {
    refused(Path.of("/dev/zero"), "larger than 1 MiB");
    assertThat(SmallFile.text(Path.of("/dev/null"), 1 << 20, SHORT)).isEmpty();
    refused(pipe(), "did not end within 0.3 s");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aPipeIsReadToItsEnd() throws Exception {
    Path pipe = pipe();
    Process writer =
        new ProcessBuilder("sh", "-c", "(echo one; sleep 0.2; echo two) >\"$0\"", pipe.toString())
            .start();
    assertThat(SmallFile.text(pipe, 1 << 20, Duration.ofSeconds(20))).isEqualTo("one\ntwo\n");
    assertThat(writer.waitFor()).isZero();
  }
}
