package org.modeltracer.gate.checks;

import static org.modeltracer.anomaly.Severity.CRITICAL;
import static org.modeltracer.anomaly.Severity.INFO;
import static org.modeltracer.anomaly.Severity.WARNING;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gguf.ArrayValue;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.Metadata;
import org.modeltracer.gguf.SilentDefault;
import org.modeltracer.gguf.Value;
import org.modeltracer.tokens.TokenType;

/**
 * In what a file differs from its reference before anything is computed: the numbers that it is
 * computed with, vocabulary, special tokens, chat template.
 *
 * <p>Keys that say who made the file and how ({@code general.*}, {@code quantize.*}, {@code
 * split.*}) may differ. Whole numbers are equal whatever their width, floating-point ones when they
 * are within 10⁻⁶ of each other, a number and an array that repeats it are too.
 */
public final class FileDifferences {
  private static final String TOKENIZER = "tokenizer.";
  private static final String TOKENS = "tokenizer.ggml.tokens";
  private static final String TYPES = "tokenizer.ggml.token_type";
  private static final String TEMPLATE = "tokenizer.chat_template";
  private static final double CLOSE = 1e-6;
  private static final int SHOWN = 60;

  private final Metadata own;
  private final Metadata other;
  private final String architecture;
  private final Map<String, String> taken;
  private final Map<String, String> takenByOther;
  private final List<Evidence> found = new ArrayList<>();

  private FileDifferences(GgufFile file, GgufFile reference) {
    own = file.metadata();
    other = reference.metadata();
    taken = taken(file);
    takenByOther = taken(reference);
    architecture = reference.architecture().orElse("");
    String named = file.architecture().orElse("");
    if (!named.equals(architecture)) {
      say(
          CRITICAL,
          "general.architecture",
          "general.architecture is %s, that of the reference %s".formatted(named, architecture));
      return;
    }
    Set<String> keys = new TreeSet<>(other.keys());
    keys.addAll(own.keys());
    keys.stream().filter(key -> key.startsWith(architecture + ".")).forEach(this::parameter);
    keys.stream().filter(key -> key.startsWith(TOKENIZER)).forEach(this::tokenizer);
  }

  /** What differs, the numbers that the model is computed with first; empty where nothing does. */
  public static List<Evidence> of(GgufFile file, GgufFile reference) {
    return List.copyOf(new FileDifferences(file, reference).found);
  }

  private void parameter(String key) {
    Value mine = own.get(key).orElse(null);
    Value theirs = other.get(key).orElse(null);
    if (same(mine, theirs)) {
      return;
    }
    String here = mine == null ? taken.get(key) : shown(mine);
    String there = theirs == null ? takenByOther.get(key) : shown(theirs);
    boolean alike = here != null && here.equals(there);
    Severity severity =
        alike ? INFO : key.equals(architecture + ".context_length") ? WARNING : CRITICAL;
    say(severity, key, words(key, mine, theirs));
  }

  private void tokenizer(String key) {
    if (key.equals(TOKENS) || key.equals(TYPES)) {
      if (key.equals(TYPES) || !other.keys().contains(TYPES) && !own.keys().contains(TYPES)) {
        tokens();
      }
      return;
    }
    Value mine = own.get(key).orElse(null);
    Value theirs = other.get(key).orElse(null);
    if (same(mine, theirs)) {
      return;
    }
    if (key.equals(TEMPLATE) || key.startsWith(TEMPLATE + ".")) {
      String which = key.equals(TEMPLATE) ? "chat template" : key;
      say(
          WARNING,
          key,
          mine == null
              ? "the reference has a " + which + ", this file none"
              : theirs == null
                  ? "this file has a " + which + ", the reference none"
                  : "the " + which + " differs from the reference's");
    } else if (mine instanceof ArrayValue a && theirs instanceof ArrayValue b) {
      entries(key, a, b);
    } else {
      say(CRITICAL, key, words(key, mine, theirs));
    }
  }

  /** Token by token: text and type. */
  private void tokens() {
    List<String> mine = own.strings(TOKENS).orElse(List.of());
    List<String> theirs = other.strings(TOKENS).orElse(List.of());
    if (mine.size() != theirs.size()) {
      say(
          CRITICAL,
          TOKENS,
          "the vocabulary has %d tokens, that of the reference %d"
              .formatted(mine.size(), theirs.size()));
      return;
    }
    differing(
        TOKENS,
        mine.size(),
        id ->
            mine.get(id).equals(theirs.get(id))
                ? null
                : "token %d is %s, in the reference %s"
                    .formatted(id, quote(mine.get(id)), quote(theirs.get(id))));
    long[] types = own.integers(TYPES).orElse(new long[0]);
    long[] theirTypes = other.integers(TYPES).orElse(new long[0]);
    differing(
        TYPES,
        Math.min(mine.size(), Math.max(types.length, theirTypes.length)),
        id -> {
          TokenType one = type(types, id);
          TokenType two = type(theirTypes, id);
          return one == two
              ? null
              : "token %d %s is %s here, %s in the reference"
                  .formatted(id, quote(mine.get(id)), words(one), words(two));
        });
  }

  private static TokenType type(long[] types, int id) {
    return id < types.length ? TokenType.of(types[id]) : TokenType.NORMAL;
  }

  private static String words(TokenType type) {
    return switch (type) {
      case NORMAL -> "normal text";
      case CONTROL -> "a control token";
      case USER_DEFINED -> "a user-defined token";
      case UNKNOWN -> "the unknown token";
      case UNUSED -> "unused";
      case BYTE -> "a byte";
      case UNDEFINED -> "of no known type";
    };
  }

  private void entries(String key, ArrayValue mine, ArrayValue theirs) {
    if (mine.size() != theirs.size()) {
      say(
          CRITICAL,
          key,
          "%s has %d entries, that of the reference %d".formatted(key, mine.size(), theirs.size()));
      return;
    }
    differing(
        key,
        mine.size(),
        i -> {
          Object one = element(mine, i);
          Object two = element(theirs, i);
          return same(one, two)
              ? null
              : "%s[%d] is %s, that of the reference %s"
                  .formatted(key, i, quote(spelt(one)), quote(spelt(two)));
        });
  }

  /** Says the first entry that differs, and how many more do. */
  private void differing(String key, int size, IntFunction<@Nullable String> difference) {
    String first = null;
    int count = 0;
    for (int i = 0; i < size; i++) {
      String here = difference.apply(i);
      count += here == null ? 0 : 1;
      first = first == null ? here : first;
    }
    if (first != null) {
      say(CRITICAL, key, first + (count == 1 ? "" : ", and %,d more".formatted(count - 1)));
    }
  }

  private void say(Severity severity, String key, String words) {
    found.add(Evidence.ofByte("reference_differs", severity, own.offset(key).orElse(-1), words));
  }

  private static String words(String key, @Nullable Value mine, @Nullable Value theirs) {
    if (mine == null) {
      return "%s is missing, the reference has %s".formatted(key, shown(theirs));
    }
    return theirs == null
        ? "%s is %s, the reference has none".formatted(key, shown(mine))
        : "%s is %s, that of the reference %s".formatted(key, shown(mine), shown(theirs));
  }

  private static boolean same(@Nullable Value a, @Nullable Value b) {
    if (a == null || b == null) {
      return a == b;
    }
    int size = Math.max(size(a), size(b));
    boolean repeats = a instanceof ArrayValue ^ b instanceof ArrayValue;
    if (!repeats && size(a) != size(b) || Math.min(size(a), size(b)) == 0) {
      return size(a) == size(b);
    }
    for (int i = 0; i < size; i++) {
      if (!same(element(a, i), element(b, i))) {
        return false;
      }
    }
    return true;
  }

  private static boolean same(Object one, Object two) {
    if (one instanceof Number x
        && two instanceof Number y
        && !(x instanceof Long && y instanceof Long)) {
      double a = x.doubleValue();
      double b = y.doubleValue();
      return Double.compare(a, b) == 0 || Math.abs(a - b) <= CLOSE * Math.abs(b);
    }
    return one.equals(two);
  }

  private static int size(Value value) {
    return value instanceof ArrayValue array ? array.size() : 1;
  }

  /** An element of an array, or a value that repeats: a long, a double, a truth value or a text. */
  private static Object element(Value value, int i) {
    return switch (value) {
      case Value.Int whole -> whole.value();
      case Value.Real real -> real.value();
      case Value.Bool truth -> truth.value();
      // What is longer than is held differs by its length.
      case Value.Text words -> words.bytes() + " " + words.value();
      case ArrayValue array ->
          switch (array.elementType()) {
            case STRING -> array.string(i);
            case BOOL -> array.bool(i);
            case FLOAT32, FLOAT64 -> array.real(i);
            default -> array.integer(i);
          };
    };
  }

  /** What llama.cpp takes for the keys that a file lacks. */
  private static Map<String, String> taken(GgufFile file) {
    Map<String, String> taken = new HashMap<>();
    for (SilentDefault missing : SilentDefault.of(file)) {
      missing.taken(file).ifPresent(value -> taken.put(missing.key(file), value));
    }
    return taken;
  }

  private static String spelt(Object element) {
    return element instanceof Double real ? plain(real) : String.valueOf(element);
  }

  private static String shown(@Nullable Value value) {
    return quote(
        switch (value) {
          case null -> "none";
          case Value.Text words -> words.value();
          case Value.Real real -> plain(real.value());
          case ArrayValue array -> shown(array);
          default -> value.toString();
        });
  }

  /** The elements, as many as are shown; one of them where all are the same. */
  private static String shown(ArrayValue array) {
    List<String> elements =
        IntStream.range(0, array.size())
            .limit(SHOWN)
            .mapToObj(i -> spelt(element(array, i)))
            .toList();
    boolean repeats = array.size() <= SHOWN && elements.stream().distinct().count() == 1;
    return repeats ? elements.getFirst() : elements.toString();
  }

  /** As people write it: 10000, 0.00001, 1E+30. */
  private static String plain(double value) {
    if (!Double.isFinite(value)) {
      return String.valueOf(value);
    }
    // As float32, in which nearly all files keep their numbers.
    String digits = (float) value == value ? Float.toString((float) value) : String.valueOf(value);
    BigDecimal exact = new BigDecimal(digits).stripTrailingZeros();
    return Math.abs(exact.precision() - exact.scale()) <= 12 ? exact.toPlainString() : digits;
  }

  private static String quote(String text) {
    return text.length() <= SHOWN ? text : text.substring(0, SHOWN) + "…";
  }
}
