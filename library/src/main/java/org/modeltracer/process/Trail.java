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
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

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

  private static final int TEXT = 1024;

  private static final long BEGUN = 0;
  private static final long ENDED = 4;
  private static final long CODE = 8;
  private static final long TOKENS = 12;
  private static final long POSITION = 16;
  private static final long SIZE = 24;
  private static final long NODE = 32;
  private static final long FIRST = NODE + NAME;
  private static final long SOURCE = FIRST + NAME;
  private static final long OPERATION = SOURCE + NAME;
  private static final long STEP = OPERATION + NAME;
  private static final long MODEL = STEP + NAME;
  private static final long RESULTS = MODEL + TEXT;
  private static final long BYTES = 4096;

  private static final Pattern LAYER = Pattern.compile("[^-]*-(\\d{1,3})(?: .*)?");

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
    return MemorySegment.ofArray(new long[(int) BYTES / Long.BYTES]);
  }

  /** A new trail, in a file that is there, for a process that will be started. */
  static Trail in(Path file) throws IOException {
    // Written, not only sized: a page that finds no room on a full disk is a crash of its own.
    Files.write(file, new byte[(int) BYTES]);
    return new Trail(map(file));
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

  /** Whether the process began to work at all. */
  boolean begun() {
    return page.get(ValueLayout.JAVA_INT, BEGUN) != 0;
  }

  /** The exit code that the process meant to end with; empty when it had no such intention. */
  OptionalInt ended() {
    return page.get(ValueLayout.JAVA_INT, ENDED) == 0
        ? OptionalInt.empty()
        : OptionalInt.of(page.get(ValueLayout.JAVA_INT, CODE));
  }

  /**
   * Where the process is, in words that follow what it does: {@code at ffn_up-3 (MUL_MAT of
   * blk.3.ffn_up.weight) in layer 3, token position 17, of model.gguf}; empty when it left no mark.
   */
  public String where() {
    String model = text(MODEL, TEXT);
    if (model.isEmpty()) {
      return "";
    }
    int tokens = page.get(ValueLayout.JAVA_INT, TOKENS);
    String what = tokens == 0 ? "while " + text(STEP, NAME) : computing(tokens);
    return what + (tokens == 0 ? " " : ", of ") + model + shorter(Path.of(model));
  }

  private String computing(int tokens) {
    long position = page.get(ValueLayout.JAVA_LONG, POSITION);
    String token =
        tokens == 1
            ? "token position " + position
            : "token positions %d to %d".formatted(position, position + tokens - 1);
    String node = text(NODE, NAME);
    if (node.isEmpty()) {
      return "before the first node of a pass, " + token;
    }
    String source = text(SOURCE, NAME);
    String operation = text(OPERATION, NAME) + (source.isEmpty() ? "" : " of " + source);
    String first = text(FIRST, NAME);
    // ggml numbers nodes that have no name; a neighbour knows the layer.
    String place =
        Stream.of(node, source, first)
            .map(LAYER::matcher)
            .filter(Matcher::matches)
            .findFirst()
            .map(layer -> " in layer " + layer.group(1))
            .orElse("");
    String nodes = first.equals(node) ? "at " + node : "between " + first + " and " + node;
    return "%s (%s)%s, %s".formatted(nodes, operation, place, token);
  }

  /** A file that is cut while it is mapped takes down whoever reads the part that is gone. */
  private String shorter(Path model) {
    long missing = page.get(ValueLayout.JAVA_LONG, SIZE) - model.toFile().length();
    return missing <= 0 ? "" : ", which has lost " + missing + " bytes since it was opened";
  }

  /** The folder where what was found by then is. */
  public Optional<Path> results() {
    String folder = text(RESULTS, TEXT);
    return folder.isEmpty() ? Optional.empty() : Optional.of(Path.of(folder));
  }

  private void text(long at, int room, String value) {
    byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
    int length = Math.min(bytes.length, room - 1);
    MemorySegment.copy(bytes, 0, page, ValueLayout.JAVA_BYTE, at, length);
    page.set(ValueLayout.JAVA_BYTE, at + length, (byte) 0);
  }

  private String text(long at, int room) {
    byte[] bytes = page.asSlice(at, room).toArray(ValueLayout.JAVA_BYTE);
    int length = 0;
    while (length < room && bytes[length] != 0) {
      length++;
    }
    return new String(bytes, 0, length, StandardCharsets.UTF_8);
  }
}
