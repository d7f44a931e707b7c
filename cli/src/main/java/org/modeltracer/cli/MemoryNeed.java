package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.modeltracer.gate.policy.MachineMemory;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.input.SmallFile;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;

/**
 * Memory that a run takes before it has computed anything, from the shapes in the file.
 *
 * <p>For each layer and token the KV cache holds a row of keys and one of values, as wide as the
 * matrices that make them. Layers whose matrices are not named so count nothing: the true number
 * may be higher, as it is by llama.cpp's own buffers.
 *
 * @param weights bytes of all tensors
 * @param cache bytes of the KV cache
 * @param context what it is for
 */
record MemoryNeed(long weights, long cache, ContextOptions context) {
  static final String REMEDY = "a smaller -c, -ctk q8_0 or a smaller quantization takes less";

  private static final Pattern KEYS =
      Pattern.compile("blk\\.(\\d+)\\.attn_(k|qkv|kv_a_mqa)\\.weight");
  private static final double GIBI = 1L << 30;

  /** What no machine has, and can still be added to. */
  private static final double MOST = 0x1p61;

  /** What a run of a file would take. */
  static MemoryNeed of(GgufFile file, ContextOptions context) {
    long weights = 0;
    double row = 0;
    for (TensorInfo tensor : file.tensors()) {
      weights += tensor.type().bytes(tensor.elements());
      Matcher keys = KEYS.matcher(tensor.name());
      if (keys.matches()) {
        row += layer(file, "blk." + keys.group(1) + ".", tensor, keys.group(2), context.cache());
      }
    }
    long tokens = context.size().tokens();
    return new MemoryNeed(weights, (long) Math.min(row * tokens, MOST), context);
  }

  /** Bytes that a token takes in one layer. */
  private static double layer(
      GgufFile file, String prefix, TensorInfo keys, String name, ContextOptions.Cache cache) {
    long width = keys.shape().size() < 2 ? 0 : keys.dimension(1);
    return switch (name) {
      case "k" -> {
        Optional<TensorInfo> values = file.tensor(prefix + "attn_v.weight");
        long second =
            values.filter(v -> v.shape().size() > 1).map(v -> v.dimension(1)).orElse(width);
        yield bytes(cache.keys(), width) + bytes(cache.values(), second);
      }
      case "qkv" -> {
        long both = Math.max(0, width - queries(file));
        boolean attends = file.tensor(prefix + "ssm_out.weight").isEmpty();
        yield attends ? bytes(cache.keys(), both / 2) + bytes(cache.values(), both / 2) : 0;
      }
      // Latent attention keeps one row from which keys and values are made.
      default ->
          file.tensor(prefix + "attn_k_b.weight").isPresent() ? bytes(cache.keys(), width) : 0;
    };
  }

  private static long queries(GgufFile file) {
    OptionalLong heads = number(file, "attention.head_count");
    OptionalLong width = number(file, "embedding_length");
    OptionalLong head = number(file, "attention.key_length");
    if (heads.isEmpty() || (head.isEmpty() && width.isEmpty())) {
      return Long.MAX_VALUE;
    }
    return head.isPresent() ? heads.getAsLong() * head.getAsLong() : width.getAsLong();
  }

  private static OptionalLong number(GgufFile file, String key) {
    return file.metadata().integer(file.architecture().orElse("") + "." + key);
  }

  private static double bytes(CacheType type, long elements) {
    GgmlType kept = GgmlType.valueOf(type.name());
    return (double) elements / kept.blockSize() * kept.blockBytes();
  }

  /** All of it. */
  long all() {
    return weights + cache;
  }

  /** What is taken and what there is, in words. */
  String words(long there, String whose) {
    return "this run would take %.1f GiB: %.1f GiB of weights and %.1f GiB of KV cache (%,d tokens, %s and %s); %s %.1f GiB"
        .formatted(
            all() / GIBI,
            weights / GIBI,
            cache / GIBI,
            context.size().tokens(),
            context.cache().keys().id(),
            context.cache().values().id(),
            whose,
            there / GIBI);
  }

  /**
   * What a machine, or a container, has.
   *
   * @param all bytes of memory
   * @param available bytes that can be had now
   */
  record Machine(long all, long available) {
    private static final Path LINUX = Path.of("/proc/meminfo");
    private static final Pattern AVAILABLE = Pattern.compile("MemAvailable:\\s+(\\d+) kB");

    /** This one; where nothing is known, more than anything takes. */
    static Machine here() {
      long all = MachineMemory.bytes().orElse(Long.MAX_VALUE);
      return new Machine(all, Math.min(all, freed()));
    }

    private static long freed() {
      try {
        Matcher line =
            AVAILABLE.matcher(SmallFile.text(LINUX, SmallFile.SETTINGS, SmallFile.PATIENCE));
        return line.find() ? Long.parseLong(line.group(1)) << 10 : Long.MAX_VALUE;
      } catch (IllegalArgumentException elsewhere) {
        return Long.MAX_VALUE;
      }
    }
  }
}
