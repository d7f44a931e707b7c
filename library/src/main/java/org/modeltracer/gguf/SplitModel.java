package org.modeltracer.gguf;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Puts a model together from the files that it is split into, whichever of them was named.
 *
 * <p>llama.cpp goes by the names: it finds the others by that of the first. So a shard that is
 * missing, renamed, in another's place or of another model is refused here, by name.
 */
final class SplitModel {
  private static final String NUMBER = "split.no";
  private static final String COUNT = "split.count";
  private static final String TENSORS = "split.tensors.count";
  private static final String MERGE = "or join all of them with llama-gguf-split --merge";

  private final ShardName name;
  private final List<GgufFile> parts = new ArrayList<>();

  private SplitModel(ShardName name) {
    this.name = name;
  }

  /** The model that a file is, or belongs to. */
  static GgufFile of(GgufFile named) {
    long count = named.metadata().integer(COUNT).orElse(1);
    return count > 1 ? new SplitModel(named(named, count)).whole() : named;
  }

  /** Why a file that is not there is missed, where its name says that it belongs to a model. */
  static Optional<GgufException> missing(Path path) {
    return ShardName.of(path)
        .filter(name -> name.count() > 1 && !Files.exists(path))
        .map(name -> new SplitModel(name).missing());
  }

  /** The name of a shard, which must be what its keys say. */
  private static ShardName named(GgufFile part, long count) {
    long number = part.metadata().integer(NUMBER).orElse(0) + 1;
    String file = part.shards().getFirst().name();
    var name = ShardName.of(part.path());
    if (name.isEmpty()) {
      throw GgufException.of(
          null,
          "%s is shard %d of %d of a split model, but is not named so: rename it to %s and the"
              + " others alike, %s",
          file,
          number,
          count,
          ShardName.of(file.replaceFirst("\\.gguf$", ""), number, count),
          MERGE);
    }
    if (name.get().count() != count) {
      throw GgufException.of(
          null,
          "%s is a shard of another model: its %s is %d, its name says %d; get it again",
          file,
          COUNT,
          count,
          name.get().count());
    }
    if (number > count) {
      throw GgufException.of(
          null,
          "%s has %s %d, but there are %d shards; get it again",
          file,
          NUMBER,
          number - 1,
          count);
    }
    if (name.get().number() != number) {
      throw GgufException.of(
          null,
          "%s is shard %d of %d by its %s, shard %d by its name: rename it to %s, %s",
          file,
          number,
          count,
          NUMBER,
          name.get().number(),
          ShardName.of(name.get().prefix(), number, count),
          MERGE);
    }
    return name.get();
  }

  private GgufFile whole() {
    for (int number = 1; number <= name.count(); number++) {
      if (!Files.exists(name.sibling(number))) {
        throw missing();
      }
    }
    for (int number = 1; number <= name.count(); number++) {
      parts.add(part(name.sibling(number)));
    }
    GgufFile first = parts.getFirst();
    parts.forEach(part -> kin(first, part));
    Map<String, TensorInfo> tensors = tensors();
    long claimed = first.metadata().integer(TENSORS).orElse(tensors.size());
    if (tensors.size() != claimed) {
      throw GgufException.of(
          null,
          "the %d shards of %s have %d tensors, their %s is %d: one is of another model, or of"
              + " another split of this one; get them again",
          parts.size(),
          name.prefix(),
          tensors.size(),
          TENSORS,
          claimed);
    }
    return new GgufFile(
        parts.stream().flatMap(part -> part.shards().stream()).toList(), first.metadata(), tensors);
  }

  private GgufException missing() {
    List<Integer> absent = new ArrayList<>();
    for (int number = 1; number <= name.count() && absent.size() < 10; number++) {
      if (!Files.exists(name.sibling(number))) {
        absent.add(number);
      }
    }
    String numbers = absent.stream().map(String::valueOf).collect(Collectors.joining(", "));
    boolean one = absent.size() == 1;
    return GgufException.of(
        null,
        (one ? "shard %s of %d is" : "shards %s of %d are")
            + " missing: no such file: %s; all shards of a split model must lie in one"
            + " folder",
        numbers,
        name.count(),
        name.sibling(absent.getFirst()).toString());
  }

  private static GgufFile part(Path path) {
    GgufFile part;
    try {
      part = GgufFile.readAlone(path);
    } catch (GgufException e) {
      throw GgufException.in(String.valueOf(path.getFileName()), e);
    }
    var count = part.metadata().integer(COUNT);
    if (count.isEmpty()) {
      throw GgufException.of(
          null,
          "%s is not a shard of this model, it has no %s: get it again",
          part.shards().getFirst().name(),
          COUNT);
    }
    named(part, count.getAsLong());
    return part;
  }

  /** Shards of one model agree in every key that they share. */
  private static void kin(GgufFile first, GgufFile other) {
    for (String key : other.metadata().keys()) {
      String theirs = other.metadata().get(key).map(Value::toString).orElse("");
      String ours = first.metadata().get(key).map(Value::toString).orElse(theirs);
      if (!key.equals(NUMBER) && !ours.equals(theirs)) {
        throw GgufException.of(
            null,
            "%s is a shard of another model than %s: its %s is %s, not %s; get it again",
            other.shards().getFirst().name(),
            first.shards().getFirst().name(),
            key,
            theirs,
            ours);
      }
    }
  }

  private Map<String, TensorInfo> tensors() {
    var all = new LinkedHashMap<String, TensorInfo>();
    for (GgufFile part : parts) {
      for (TensorInfo tensor : part.tensors()) {
        TensorInfo before = all.putIfAbsent(tensor.name(), tensor);
        if (before != null) {
          throw GgufException.of(
              null,
              "%s is in %s and in %s: one of them is of another model, or of another split of this"
                  + " one; get both again",
              tensor.name(),
              String.valueOf(before.file().getFileName()),
              String.valueOf(tensor.file().getFileName()));
        }
      }
    }
    return all;
  }
}
