package org.modeltracer.quant;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.modeltracer.gguf.ArrayValue;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.Metadata;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.gguf.Value;

/** Says in what two files are not the same model. */
final class Mismatch {
  private static final String TOKENS = "tokenizer.ggml.tokens";

  private record Size(String key, String name) {}

  private static final List<Size> SIZES =
      List.of(
          new Size("block_count", "layers"),
          new Size("embedding_length", "width"),
          new Size("feed_forward_length", "feed-forward width"),
          new Size("attention.head_count", "heads"),
          new Size("attention.head_count_kv", "key/value heads"),
          new Size("attention.key_length", "key width"),
          new Size("attention.value_length", "value width"),
          new Size("expert_count", "experts"),
          new Size("expert_used_count", "experts used"),
          new Size("vocab_size", "vocabulary size"));

  private final Metadata reference;
  private final Metadata other;
  private final List<String> found = new ArrayList<>();

  private Mismatch(GgufFile reference, GgufFile other) {
    this.reference = reference.metadata();
    this.other = other.metadata();
    String architecture = reference.architecture().orElse("none");
    String otherArchitecture = other.architecture().orElse("none");
    if (!architecture.equals(otherArchitecture)) {
      differ("architecture", otherArchitecture, architecture);
      return;
    }
    for (Size size : SIZES) {
      size(architecture + "." + size.key(), size.name());
    }
    vocabulary();
    if (found.isEmpty()) {
      weights(reference, other);
    }
  }

  /**
   * What differs, in words; empty when the two are the same model, apart from their weights'
   * values.
   */
  static Optional<String> of(GgufFile reference, GgufFile other) {
    List<String> found = new Mismatch(reference, other).found;
    return found.isEmpty() ? Optional.empty() : Optional.of(String.join(", ", found));
  }

  private void differ(String what, String others, String references) {
    found.add(what + " " + others + " against " + references);
  }

  private void size(String key, String name) {
    Optional<Value> a = reference.get(key);
    Optional<Value> b = other.get(key);
    if (a.isPresent() && b.isPresent() && !text(a.get()).equals(text(b.get()))) {
      differ(name, text(b.get()), text(a.get()));
    }
  }

  private static String text(Value value) {
    return switch (value) {
      case Value.Int whole -> Long.toString(whole.value());
      case ArrayValue array when array.elementType().isInteger() -> {
        var numbers = new ArrayList<Long>();
        for (int i = 0; i < array.size(); i++) {
          numbers.add(array.integer(i));
        }
        yield numbers.stream().distinct().count() == 1
            ? numbers.getFirst().toString()
            : numbers.toString();
      }
      default -> String.valueOf(value);
    };
  }

  private void vocabulary() {
    Optional<List<String>> a = reference.strings(TOKENS);
    Optional<List<String>> b = other.strings(TOKENS);
    if (a.isEmpty() || b.isEmpty()) {
      if (a.isPresent() != b.isPresent()) {
        found.add("only one of them has a vocabulary");
      }
      return;
    }
    List<String> own = a.get();
    List<String> others = b.get();
    if (own.size() != others.size()) {
      differ("vocabulary of", others.size() + " tokens", String.valueOf(own.size()));
      return;
    }
    for (int i = 0; i < own.size(); i++) {
      if (!own.get(i).equals(others.get(i))) {
        differ("token " + i, "'" + others.get(i) + "'", "'" + own.get(i) + "'");
        return;
      }
    }
  }

  private void weights(GgufFile reference, GgufFile other) {
    for (TensorInfo tensor : reference.tensors()) {
      Optional<TensorInfo> twin = other.tensor(tensor.name());
      if (twin.isPresent() && !twin.get().shape().equals(tensor.shape())) {
        differ("shape of " + tensor.name(), twin.get().shape() + "", tensor.shape() + "");
        return;
      }
    }
  }
}
