package org.modeltracer.language;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.modeltracer.llama.Vocabulary;

/**
 * Predictions of a reference in a file, as llama-perplexity writes them with {@code
 * --save-all-logits} and reads them with {@code --kl-divergence-base}: a model can be compared with
 * a reference that is not at hand.
 *
 * <p>Little-endian. {@code _logits_}, int32 tokens per window w, int32 vocabulary v, int32 windows
 * n, int32 token ids {@code [n, w]}; then per window and position that counts ({@link
 * TextWindows#counts}) a row of v + 4 uint16, or one more where v is odd: float32 scale, float32
 * lowest, and per token q, whose ln p is scale · q + lowest. Lowest is that of the least likely
 * token, but not more than 16 below the likeliest.
 */
public final class StoredLogits implements AutoCloseable {
  private static final byte[] MAGIC = "_logits_".getBytes(StandardCharsets.US_ASCII);
  private static final int MOST_WINDOW = 1 << 24;
  private static final int MOST_VOCABULARY = 1 << 24;
  private static final int MOST_TOKENS = 1 << 26;
  private static final int STEPS = 65535;
  private static final float DEPTH = 16;

  private final Path file;
  private final InputStream in;
  private final int window;
  private final int vocabulary;
  private final TextWindows text;
  private final byte[] row;
  private final float[] logProbabilities;

  private StoredLogits(Path file, InputStream in, int vocabulary) throws IOException {
    this.file = file;
    this.in = in;
    if (!Arrays.equals(read(new byte[MAGIC.length]), MAGIC)) {
      throw unsound("it does not begin with '_logits_', as llama-perplexity's files of logits do");
    }
    ByteBuffer sizes = little(read(new byte[3 * Integer.BYTES]));
    window = size("tokens per window", sizes.getInt(), MOST_WINDOW);
    this.vocabulary = size("tokens in the vocabulary", sizes.getInt(), MOST_VOCABULARY);
    int windows = size("windows", sizes.getInt(), MOST_WINDOW);
    if (this.vocabulary != vocabulary) {
      throw unsound(
          "it is of a vocabulary of %d tokens, the model has %d"
              .formatted(this.vocabulary, vocabulary));
    }
    if ((long) window * windows > MOST_TOKENS) {
      throw unsound("%d windows of %d tokens are too many".formatted(windows, window));
    }
    checkSize(windows);
    text = new TextWindows(tokens(windows));
    row = new byte[rowBytes(vocabulary)];
    logProbabilities = new float[vocabulary];
  }

  /**
   * Opens a file for a model of that vocabulary.
   *
   * @throws IllegalArgumentException with one line, when it is not there, of another vocabulary, or
   *     no such file
   */
  public static StoredLogits open(Path file, Vocabulary vocabulary) {
    if (!Files.exists(file) || Files.isDirectory(file)) {
      throw new IllegalArgumentException("no such file of logits: " + file);
    }
    try {
      InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 20);
      try {
        var stored = new StoredLogits(file, in, vocabulary.size());
        stored.text.windows().forEach(own -> TextWindows.begin(own, vocabulary));
        return stored;
      } catch (IOException | RuntimeException e) {
        close(in);
        throw e;
      }
    } catch (IOException e) {
      throw new IllegalArgumentException(file + " cannot be read: " + reason(e), e);
    }
  }

  private static void close(InputStream in) {
    try {
      in.close();
    } catch (IOException e) {
      // Nothing was written to it.
      return;
    }
  }

  /** The text that the reference read, as a model is to read it. */
  public TextWindows text() {
    return text;
  }

  /** Tokens per window. */
  public int window() {
    return window;
  }

  /**
   * Adds the next position to a score: those of the file come in the order of the text.
   *
   * @param logits the model's {@code [vocabulary]} scores there
   * @throws IllegalArgumentException with one line, when the file ends before
   */
  public void score(LogitScore score, long position, float[] logits, int next) {
    ByteBuffer stored;
    try {
      stored = little(read(row));
    } catch (IOException e) {
      throw unsound("it ends before position %d: %s".formatted(position, reason(e)));
    }
    float scale = stored.getFloat();
    float lowest = stored.getFloat();
    for (int i = 0; i < vocabulary; i++) {
      logProbabilities[i] = scale * Short.toUnsignedInt(stored.getShort()) + lowest;
    }
    float ofNext = logProbabilities[next];
    for (int i = 0; i < vocabulary; i++) {
      // Lower ones are known to be no higher, and count as impossible, as in llama-perplexity.
      if (logProbabilities[i] <= -DEPTH) {
        logProbabilities[i] = Float.NEGATIVE_INFINITY;
      }
    }
    score.add(position, logProbabilities, ofNext, logits, vocabulary, next);
  }

  @Override
  public void close() {
    close(in);
  }

  private void checkSize(int windows) throws IOException {
    long rows = (long) windows * Math.max(0, window - 1 - TextWindows.firstCounted(window));
    long whole =
        MAGIC.length + Integer.BYTES * (3 + (long) windows * window) + rows * rowBytes(vocabulary);
    if (Files.isRegularFile(file) && Files.size(file) != whole) {
      throw unsound(
          "it has %,d bytes where its header makes %,d: it was cut, or is not a file of logits"
              .formatted(Files.size(file), whole));
    }
  }

  private List<int[]> tokens(int windows) throws IOException {
    var all = new ArrayList<int[]>();
    for (int n = 0; n < windows; n++) {
      int[] ids = new int[window];
      little(read(new byte[Integer.BYTES * window])).asIntBuffer().get(ids);
      for (int id : ids) {
        if (id < 0 || id >= vocabulary) {
          throw unsound("token %d is outside its vocabulary of %d".formatted(id, vocabulary));
        }
      }
      all.add(ids);
    }
    return all;
  }

  /** Fills all of it. */
  private byte[] read(byte[] target) throws IOException {
    if (in.readNBytes(target, 0, target.length) < target.length) {
      throw new EOFException("the file ends early");
    }
    return target;
  }

  private static ByteBuffer little(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private int size(String what, int size, int most) {
    if (size < 1 || size > most) {
      throw unsound("%d %s cannot be".formatted(size, what));
    }
    return size;
  }

  private IllegalArgumentException unsound(String why) {
    return new IllegalArgumentException("%s: %s".formatted(file, why));
  }

  private static String reason(IOException e) {
    return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }

  private static int rowBytes(int vocabulary) {
    return Short.BYTES * (2 * ((vocabulary + 1) / 2) + 4);
  }

  /** Writes such a file while a model reads a text. */
  public static final class Writer implements TextReading.Prediction, AutoCloseable {
    private final OutputStream out;
    private final byte[] row;

    /**
     * Begins a file.
     *
     * @param out where to; closed with this
     * @param text in windows of the same size
     * @throws UncheckedIOException when it cannot be written
     */
    public Writer(OutputStream out, TextWindows text, int vocabulary) {
      this.out = new BufferedOutputStream(out, 1 << 20);
      row = new byte[rowBytes(vocabulary)];
      int window = text.windows().getFirst().length;
      byte[] head = new byte[MAGIC.length + Integer.BYTES * (3 + Math.toIntExact(text.tokens()))];
      ByteBuffer filled =
          little(head).put(MAGIC).putInt(window).putInt(vocabulary).putInt(text.windows().size());
      text.windows().forEach(own -> Arrays.stream(own).forEach(filled::putInt));
      write(head);
    }

    @Override
    public void at(long position, float[] logits, int next) {
      float max = Float.NEGATIVE_INFINITY;
      float min = Float.POSITIVE_INFINITY;
      for (float logit : logits) {
        max = Math.max(max, logit);
        min = Math.min(min, logit);
      }
      min = Math.max(min, max - DEPTH);
      float lowest = (float) (min - Logits.logSumExp(logits, logits.length));
      float scale = (max - min) / STEPS;
      ByteBuffer filled = little(row).putFloat(scale).putFloat(lowest);
      for (float logit : logits) {
        filled.putShort((short) (logit > min ? Math.rint((logit - min) / scale) : 0));
      }
      write(row);
    }

    private void write(byte[] bytes) {
      try {
        out.write(bytes);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public void close() {
      try {
        out.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
