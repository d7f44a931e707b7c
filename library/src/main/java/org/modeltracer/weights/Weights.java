package org.modeltracer.weights;

import java.lang.foreign.Arena;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.model.BlockPart;

/** What is in the weights of a file; each tensor is looked at once. */
public final class Weights implements AutoCloseable {
  private static final String WEIGHT = ".weight";
  private static final String SCALE = ".scale";

  private final WeightFile file;
  private final Map<String, WeightStats> known = new ConcurrentHashMap<>();
  private @Nullable Set<GgmlType> scaledTypes;

  public Weights(GgufFile gguf, Dequantizer ggml) {
    file = new WeightFile(gguf, ggml);
  }

  /** The tensor of that name, if the file has it and ggml can decode it. */
  public Optional<TensorInfo> tensor(String name) {
    return file.tensor(name);
  }

  boolean readable(TensorInfo tensor) {
    return file.readable(tensor);
  }

  /** All tensors, in file order. */
  List<TensorInfo> tensors() {
    return file.tensors();
  }

  /** Statistics of a whole tensor; computed once. */
  public WeightStats stats(TensorInfo tensor) {
    return stats(tensor, bytes -> {});
  }

  /** As {@link #stats(TensorInfo)}, telling how many more bytes have been read. */
  public WeightStats stats(TensorInfo tensor, LongConsumer progress) {
    WeightStats before = known.get(tensor.name());
    if (before != null) {
      return before;
    }
    WeightStats stats = scan(tensor, 0, WeightFile.rows(tensor), progress);
    known.put(tensor.name(), stats);
    return stats;
  }

  /**
   * Statistics of rows {@code from <= r < to}; the index of the first bad value is the tensor's.
   */
  public WeightStats rows(TensorInfo tensor, long from, long to) {
    return scan(tensor, from, to, bytes -> {});
  }

  /** The tensor that a weight's blocks are multiplied with when they are used, if it has one. */
  Optional<TensorInfo> scale(TensorInfo weight) {
    return weight.name().endsWith(WEIGHT)
        ? file.tensor(weight.name().replaceFirst(WEIGHT + "$", SCALE))
        : Optional.empty();
  }

  /** Largest finite magnitude of a weight as it is used: its blocks' times that of its scale. */
  double absMax(TensorInfo weight) {
    double scale = scale(weight).map(t -> (double) stats(t).absMax()).orElse(1.0);
    return stats(weight).absMax() * scale;
  }

  /** Whether a weight lacks the scale that others of its type in this file have. */
  boolean lacksScale(TensorInfo weight) {
    return weight.type().quantized()
        && weight.name().endsWith(WEIGHT)
        && scale(weight).isEmpty()
        && scaled().contains(weight.type());
  }

  /** Types of weights that have a scale. */
  private Set<GgmlType> scaled() {
    if (scaledTypes == null) {
      scaledTypes = EnumSet.noneOf(GgmlType.class);
      for (TensorInfo tensor : tensors()) {
        if (tensor.type().quantized() && scale(tensor).isPresent()) {
          scaledTypes.add(tensor.type());
        }
      }
    }
    return scaledTypes;
  }

  private WeightStats scan(TensorInfo tensor, long from, long to, LongConsumer progress) {
    long rowBytes = tensor.type().bytes(tensor.dimension(0));
    var sum = new WeightSum(tensor.dimension(0), tensor.dimension(1), from);
    file.read(
        tensor,
        from,
        to,
        (values, count) -> {
          sum.rows(values, count);
          progress.accept(count * rowBytes);
        });
    return sum.stats();
  }

  /** Part of a block of a quantized tensor that is not finite, or null. */
  @Nullable BlockPart badPart(TensorInfo tensor, long element) {
    long block = element / tensor.type().blockSize();
    int bytes = tensor.type().blockBytes();
    try (Arena arena = Arena.ofConfined()) {
      return BlockLayout.badPart(tensor.type(), file.bytes(tensor, block * bytes, bytes, arena));
    }
  }

  @Override
  public void close() {
    file.close();
  }
}
