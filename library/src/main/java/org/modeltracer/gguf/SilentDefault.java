package org.modeltracer.gguf;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * What llama.cpp takes, without a word, for a key that a file lacks.
 *
 * <p>The table {@code silent-defaults.txt} names the release that it was read from. Keys without
 * which llama.cpp refuses a file are not in it.
 *
 * @param key the key, without the architecture's name; whole where it begins with {@code
 *     tokenizer.}
 * @param value what is taken, as a file would spell it; {@code =KEY} for the value of another key,
 *     {@code -} for what no single value could say
 * @param danger whether a model was meant that has another value
 * @param architectures those that it holds for; empty for all
 * @param conditions what must hold of a file: a key that is there, {@code KEY=VALUE}, or the end of
 *     a tensor's name; {@code !} before it for the opposite
 * @param meaning what the value does, in words
 */
public record SilentDefault(
    String key,
    String value,
    Danger danger,
    Set<String> architectures,
    Set<String> conditions,
    String meaning) {

  /** Whether a model whose file lacks the key computes what it was trained to. */
  public enum Danger {
    /** It does: it is the value of the published models, or nothing hangs on it. */
    NONE,
    /** The value is right for some models, wrong for others, and the file does not say which. */
    POSSIBLE,
    /** It does not: no published model has that value, or the rest of the file contradicts it. */
    CERTAIN
  }

  private static final String TOKENIZER = "tokenizer.";
  private static final List<SilentDefault> TABLE = read();

  /** All lines, of which the first that fits a file counts for its key. */
  public static List<SilentDefault> table() {
    return TABLE;
  }

  /** What is taken for the keys that a file lacks, each key once, in the table's order. */
  public static List<SilentDefault> of(GgufFile file) {
    Map<String, SilentDefault> found = new LinkedHashMap<>();
    TABLE.stream()
        .filter(line -> line.holds(file))
        .forEach(line -> found.putIfAbsent(line.key, line));
    return List.copyOf(found.values());
  }

  /** The key's whole name in a file. */
  public String key(GgufFile file) {
    return whole(file, key);
  }

  /** Whether the key is one of the tokenizer's. */
  public boolean ofTokenizer() {
    return key.startsWith(TOKENIZER);
  }

  /** The value that is taken in a file; empty where no single value could say it. */
  public Optional<String> taken(GgufFile file) {
    if (value.startsWith("=")) {
      return file.metadata().get(whole(file, value.substring(1))).map(Value::toString);
    }
    return Optional.of(value).filter(v -> !v.equals("-"));
  }

  private boolean holds(GgufFile file) {
    return (architectures.isEmpty() || architectures.contains(file.architecture().orElse("")))
        && !file.metadata().keys().contains(key(file))
        && conditions.stream().allMatch(condition -> holds(file, condition));
  }

  private static boolean holds(GgufFile file, String condition) {
    if (condition.startsWith("!")) {
      return !holds(file, condition.substring(1));
    }
    String[] sides = condition.split("=", 2);
    Optional<Value> value = file.metadata().get(whole(file, sides[0]));
    return sides.length == 2
        ? value.filter(v -> v.toString().equals(sides[1])).isPresent()
        : value.isPresent()
            || file.tensors().stream()
                .anyMatch(tensor -> ("." + tensor.name()).endsWith("." + condition));
  }

  private static String whole(GgufFile file, String key) {
    return key.startsWith(TOKENIZER) ? key : file.architecture().orElse("") + "." + key;
  }

  private static List<SilentDefault> read() {
    try (InputStream in = SilentDefault.class.getResourceAsStream("silent-defaults.txt")) {
      String table = new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8);
      return table
          .lines()
          .filter(line -> !line.isBlank() && !line.startsWith("#"))
          .map(SilentDefault::line)
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static SilentDefault line(String line) {
    String[] cells = Arrays.stream(line.split("\\|")).map(String::strip).toArray(String[]::new);
    return new SilentDefault(
        cells[0],
        cells[1],
        Danger.valueOf(cells[2].toUpperCase(Locale.ROOT)),
        words(cells[3].equals("*") ? "" : cells[3]),
        words(cells[4]),
        cells[5]);
  }

  private static Set<String> words(String cell) {
    return cell.isEmpty() ? Set.of() : Set.of(cell.split(" +"));
  }
}
