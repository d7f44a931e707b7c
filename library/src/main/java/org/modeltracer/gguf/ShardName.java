package org.modeltracer.gguf;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The name that llama.cpp asks of a file of a split model: {@code model-00002-of-00003.gguf}.
 *
 * @param file path of the file
 * @param prefix what the names of all shards begin with
 * @param number of the shard, from 1
 * @param count number of shards
 */
public record ShardName(Path file, String prefix, int number, int count) {
  private static final Pattern NAME = Pattern.compile("(.*)-(\\d{5,9})-of-(\\d{5,9})\\.gguf");

  /** The parts of a file's name, if it is named so. */
  public static Optional<ShardName> of(Path file) {
    Matcher name = NAME.matcher(String.valueOf(file.getFileName()));
    return name.matches()
        ? Optional.of(
            new ShardName(
                file,
                name.group(1),
                Integer.parseInt(name.group(2)),
                Integer.parseInt(name.group(3))))
        : Optional.empty();
  }

  /** Path of another shard of the model, in the same folder. */
  public Path sibling(int other) {
    return file.resolveSibling(of(prefix, other, count));
  }

  /** The name of a shard. */
  static String of(String prefix, long number, long count) {
    return String.format(Locale.ROOT, "%s-%05d-of-%05d.gguf", prefix, number, count);
  }
}
