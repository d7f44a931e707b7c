package org.modeltracer.process;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What the marks of a {@link Trail} say once nobody leaves more: a copy of its page, in words. */
final class LastTrail {
  private static final Pattern LAYER = Pattern.compile("[^-]*-(\\d{1,3})(?: .*)?");

  private final ByteBuffer page;

  LastTrail(byte[] page) {
    this.page = ByteBuffer.wrap(page).order(ByteOrder.nativeOrder());
  }

  /** Whether the process began to work at all. */
  boolean begun() {
    return page.getInt(Trail.BEGUN) != 0;
  }

  /** Whether the process meant to end with that exit code. */
  boolean ended(int code) {
    return page.getInt(Trail.ENDED) != 0 && page.getInt(Trail.CODE) == code;
  }

  /**
   * Where the process was, in words that follow what it did: {@code at ffn_up-3 (MUL_MAT of
   * blk.3.ffn_up.weight) in layer 3, token position 17, of model.gguf}; empty when it left no mark.
   */
  String where() {
    String model = text(Trail.MODEL, Trail.TEXT);
    if (model.isEmpty()) {
      return "";
    }
    int tokens = page.getInt(Trail.TOKENS);
    String what =
        tokens == 0 ? "while " + text(Trail.STEP, Trail.NAME) + " " : computing(tokens) + ", of ";
    return what + model + shorter(Path.of(model));
  }

  private String computing(int tokens) {
    long position = page.getLong(Trail.POSITION);
    String token =
        tokens == 1
            ? "token position " + position
            : "token positions %d to %d".formatted(position, position + tokens - 1);
    String node = text(Trail.NODE, Trail.NAME);
    if (node.isEmpty()) {
      return "before the first node of a pass, " + token;
    }
    String source = text(Trail.SOURCE, Trail.NAME);
    String operation =
        text(Trail.OPERATION, Trail.NAME) + (source.isEmpty() ? "" : " of " + source);
    String first = text(Trail.FIRST, Trail.NAME);
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
    long missing = page.getLong(Trail.SIZE) - model.toFile().length();
    return missing <= 0 ? "" : ", which has lost " + missing + " bytes since it was opened";
  }

  /** The folder where what was found by then is. */
  Optional<Path> results() {
    String folder = text(Trail.RESULTS, Trail.TEXT);
    return folder.isEmpty() ? Optional.empty() : Optional.of(Path.of(folder));
  }

  private String text(int at, int room) {
    int length = 0;
    while (length < room && page.get(at + length) != 0) {
      length++;
    }
    return new String(page.array(), at, length, StandardCharsets.UTF_8);
  }
}
