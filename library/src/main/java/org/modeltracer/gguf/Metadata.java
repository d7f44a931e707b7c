package org.modeltracer.gguf;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * The key-value pairs of a GGUF file, in file order.
 *
 * <p>A typed getter is empty when the key is absent or holds another type.
 */
public final class Metadata {
  private record Entry(Value value, long offset) {}

  private final Map<String, Entry> entries = new LinkedHashMap<>();

  Metadata() {}

  /** Adds a pair unless the key is there already; says whether it did. */
  boolean add(String key, Value value, long offset) {
    return entries.putIfAbsent(key, new Entry(value, offset)) == null;
  }

  /** Number of pairs. */
  public int size() {
    return entries.size();
  }

  /** The keys, in file order. */
  public Set<String> keys() {
    return Collections.unmodifiableSet(entries.keySet());
  }

  /** The value of a key. */
  public Optional<Value> get(String key) {
    return Optional.ofNullable(entries.get(key)).map(Entry::value);
  }

  /** Byte of the file at which a key's value begins, after its type. */
  public OptionalLong offset(String key) {
    Entry entry = entries.get(key);
    return entry == null ? OptionalLong.empty() : OptionalLong.of(entry.offset);
  }

  /** A text. */
  public Optional<String> string(String key) {
    return as(Value.Text.class, key).map(Value.Text::value);
  }

  /** A whole number of any width; empty also for a {@code uint64} over 2^63 − 1. */
  public OptionalLong integer(String key) {
    var value = as(Value.Int.class, key);
    if (value.isEmpty() || (value.get().type() == ValueType.UINT64 && value.get().value() < 0)) {
      return OptionalLong.empty();
    }
    return OptionalLong.of(value.get().value());
  }

  /** A number, whole or floating-point. */
  public OptionalDouble number(String key) {
    var real = as(Value.Real.class, key);
    if (real.isPresent()) {
      return OptionalDouble.of(real.get().value());
    }
    OptionalLong whole = integer(key);
    return whole.isPresent()
        ? OptionalDouble.of((double) whole.getAsLong())
        : OptionalDouble.empty();
  }

  /** A truth value. */
  public Optional<Boolean> bool(String key) {
    return as(Value.Bool.class, key).map(Value.Bool::value);
  }

  /** An array. */
  public Optional<ArrayValue> array(String key) {
    return as(ArrayValue.class, key);
  }

  /** An array of strings, decoded when asked for. */
  public Optional<List<String>> strings(String key) {
    return array(key)
        .filter(array -> array.elementType() == ValueType.STRING)
        .map(ArrayValue::strings);
  }

  /** An array of integers, copied. */
  public Optional<long[]> integers(String key) {
    return array(key)
        .filter(array -> array.elementType().isInteger())
        .map(array -> IntStream.range(0, array.size()).mapToLong(array::integer).toArray());
  }

  /** An array of floating-point numbers, copied. */
  public Optional<float[]> floats(String key) {
    return array(key).filter(array -> array.elementType().isFloat()).map(Metadata::floats);
  }

  private static float[] floats(ArrayValue array) {
    var values = new float[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) array.real(i);
    }
    return values;
  }

  private <T extends Value> Optional<T> as(Class<T> kind, String key) {
    return get(key).filter(kind::isInstance).map(kind::cast);
  }
}
