package org.modeltracer.process;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * How far a process has come, in memory that outlives it: a page of a file that it shares with the
 * process that watches it.
 *
 * <p>A mark costs nanoseconds, so that every node of a graph can leave one. A process that nobody
 * watches leaves its marks in memory of its own, for its own last words. Any thread may leave
 * marks; where two work at once, the last one counts.
 */
public final class Trail {
  /** Property of a watched process: the file that it shares. */
  static final String FILE = "modeltracer.trail";

  /** Bytes that {@link #node} takes of a name. */
  public static final int NAME = 64;

  static final int TEXT = 1024;

  static final int BEGUN = 0;
  static final int ENDED = 4;
  static final int CODE = 8;
  static final int TOKENS = 12;
  static final int POSITION = 16;
  static final int SIZE = 24;
  static final int NODE = 32;
  static final int FIRST = NODE + NAME;
  static final int SOURCE = FIRST + NAME;
  static final int OPERATION = SOURCE + NAME;
  static final int STEP = OPERATION + NAME;
  static final int MODEL = STEP + NAME;
  static final int RESULTS = MODEL + TEXT;
  static final int BYTES = 4096;

  private final MemorySegment page;
  private boolean computed = true;

  private Trail(MemorySegment page) {
    this.page = page;
  }

  /** The trail of this process. */
  public static Trail own() {
    return Own.TRAIL;
  }

  /** Made when first asked for: a process that only watches never asks. */
  private static final class Own {
    static final Trail TRAIL = begin();
  }

  private static Trail begin() {
    var trail = new Trail(ownPage());
    trail.page.set(ValueLayout.JAVA_INT, BEGUN, 1);
    return trail;
  }

  private static MemorySegment ownPage() {
    String shared = System.getProperty(FILE);
    if (shared != null) {
      try {
        MemorySegment page = map(Path.of(shared));
        // Both have it open by now: without its name nothing is left of it, whoever goes first.
        Files.deleteIfExists(Path.of(shared));
        return page;
      } catch (IOException e) {
        // A crash is then told without its place, which is no reason not to work.
        System.clearProperty(FILE);
      }
    }
    return MemorySegment.ofArray(new long[BYTES / Long.BYTES]);
  }

  private static MemorySegment map(Path file) throws IOException {
    try (var channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      return channel.map(FileChannel.MapMode.READ_WRITE, 0, BYTES, Arena.global());
    }
  }

  /** What is done from now on with a model, such as {@code loading}. */
  public void step(String what, Path model) {
    page.set(ValueLayout.JAVA_LONG, SIZE, model.toFile().length());
    text(MODEL, TEXT, model.toString());
    step(what);
  }

  /** What is done from now on with the same model. */
  public void step(String what) {
    page.set(ValueLayout.JAVA_INT, TOKENS, 0);
    page.set(ValueLayout.JAVA_BYTE, NODE, (byte) 0);
    text(STEP, NAME, what);
  }

  /** Where what was found is written meanwhile. */
  public void results(Path folder) {
    text(RESULTS, TEXT, folder.toString());
  }

  /** A pass through the model begins, with so many tokens from a position on. */
  public void pass(int tokens, int position) {
    computed = true;
    page.set(ValueLayout.JAVA_BYTE, NODE, (byte) 0);
    page.set(ValueLayout.JAVA_INT, TOKENS, tokens);
    page.set(ValueLayout.JAVA_LONG, POSITION, position);
  }

  /**
   * A node is about to be computed, together with those before it since {@link #computed}.
   *
   * @param memory where the names are, {@link #NAME} bytes each, ended by a zero unless full
   * @param name where the node's is
   * @param source where that of its first source is, 0 where it has none
   * @param operation what computes it, ended by a zero, at most {@link #NAME} bytes
   */
  public void node(MemorySegment memory, long name, long source, MemorySegment operation) {
    MemorySegment.copy(memory, name, page, NODE, NAME);
    if (computed) {
      MemorySegment.copy(memory, name, page, FIRST, NAME);
      computed = false;
    }
    MemorySegment.copy(operation, 0, page, OPERATION, operation.byteSize());
    if (source == 0) {
      page.set(ValueLayout.JAVA_BYTE, SOURCE, (byte) 0);
    } else {
      MemorySegment.copy(memory, source, page, SOURCE, NAME);
    }
  }

  /** All nodes so far have been computed. */
  public void computed() {
    computed = true;
  }

  /** The process ends with that exit code, and means to. */
  public void end(int code) {
    page.set(ValueLayout.JAVA_INT, CODE, code);
    page.set(ValueLayout.JAVA_INT, ENDED, 1);
  }

  /** Where this process is; see {@link LastTrail#where}. */
  public String where() {
    return new LastTrail(page.toArray(ValueLayout.JAVA_BYTE)).where();
  }

  private void text(long at, int room, String value) {
    byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
    int length = Math.min(bytes.length, room - 1);
    MemorySegment.copy(bytes, 0, page, ValueLayout.JAVA_BYTE, at, length);
    page.set(ValueLayout.JAVA_BYTE, at + length, (byte) 0);
  }
}
