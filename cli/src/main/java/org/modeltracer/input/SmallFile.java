package org.modeltracer.input;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Reads files that are named on the command line beside the model: policies, prompts, baselines.
 *
 * <p>Such a name may stand for a pipe into which nobody writes, or a device without end: no more is
 * read than a file of its kind may hold, and no longer than there is time.
 */
public final class SmallFile {
  /** Time for a pipe, which may begin with a slow command or with a person who types. */
  public static final Duration PATIENCE = Duration.ofSeconds(60);

  /** Bytes, at most, of a file of settings. */
  public static final int SETTINGS = 1 << 20;

  /** Bytes, at most, of a text for a model, or of a summary. */
  public static final int TEXT = 64 << 20;

  private SmallFile() {}

  /**
   * A file's bytes.
   *
   * @param most bytes that such a file may have
   * @throws IllegalArgumentException with one line that names the file, when it is not there,
   *     cannot be read, is larger, or has not ended in that time
   */
  public static byte[] bytes(Path file, int most, Duration patience) {
    if (Files.notExists(file)) {
      throw new IllegalArgumentException("no such file: " + file);
    }
    if (Files.isDirectory(file)) {
      throw new IllegalArgumentException(file + " is a directory, not a file");
    }
    var reading = new FutureTask<>(() -> read(file, most));
    return await(reading, file.toString(), patience);
  }

  /**
   * The text of standard input, to its end.
   *
   * @throws IllegalArgumentException as {@link #text} does
   */
  public static String standardInput(int most, Duration patience) {
    String name = "standard input";
    return decoded(
        await(new FutureTask<>(() -> read(System.in, name, most)), name, patience), name);
  }

  private static byte[] await(FutureTask<byte[]> reading, String file, Duration patience) {
    // Opening a pipe waits for a writer, and nothing but the end of the process ends that.
    Thread.ofPlatform().daemon().name("read " + file).start(reading);
    try {
      return reading.get(patience.toNanos(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      reading.cancel(true);
      throw new IllegalArgumentException(
          "%s did not end within %s s".formatted(file, seconds(patience)), e);
    } catch (InterruptedException e) {
      reading.cancel(true);
      Thread.currentThread().interrupt();
      throw new IllegalArgumentException(file + ": interrupted", e);
    } catch (ExecutionException e) {
      Throwable why = Objects.requireNonNull(e.getCause());
      throw why instanceof IllegalArgumentException own
          ? own
          : new IllegalArgumentException(file + " cannot be read: " + reason(why), e);
    }
  }

  /**
   * A file's text.
   *
   * @throws IllegalArgumentException as {@link #bytes} does, and when it is not UTF-8
   */
  public static String text(Path file, int most, Duration patience) {
    return decoded(bytes(file, most, patience), file.toString());
  }

  private static String decoded(byte[] bytes, String file) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException(file + ": not UTF-8 text", e);
    }
  }

  private static byte[] read(Path file, int most) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      return read(in, file.toString(), most);
    }
  }

  private static byte[] read(InputStream in, String file, int most) throws IOException {
    var bytes = new ByteArrayOutputStream();
    byte[] piece = new byte[1 << 16];
    for (int n = in.read(piece); n >= 0; n = in.read(piece)) {
      bytes.write(piece, 0, n);
      if (bytes.size() > most) {
        throw new IllegalArgumentException("%s is larger than %d MiB".formatted(file, most >> 20));
      }
    }
    return bytes.toByteArray();
  }

  private static String seconds(Duration time) {
    return time.toNanosPart() == 0
        ? Long.toString(time.toSeconds())
        : Double.toString(time.toMillis() / 1e3);
  }

  private static String reason(Throwable e) {
    return e instanceof AccessDeniedException ? "no permission" : String.valueOf(e.getMessage());
  }
}
