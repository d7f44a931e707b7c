package org.modeltracer.weights;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.gguf.TensorInfo;

/** Tells an absurd scale of a weight tensor by comparing it to the same tensor of other layers. */
public final class WeightPeers {
  private static final Pattern IN_LAYER = Pattern.compile("(.*?)blk\\.(\\d{1,9})\\.(.+)");
  private static final int ENOUGH_TO_CALL_SMALL = 3;

  private final Weights file;
  private final Thresholds limits;

  public WeightPeers(Weights file, Thresholds limits) {
    this.file = file;
    this.limits = limits;
  }

  /**
   * Says what is absurd about a tensor's scale, or null.
   *
   * <p>Where a weight has a {@code .scale} tensor of its own, magnitudes are those of the product;
   * such a tensor alone may have any.
   *
   * @param most peers looked at, the nearest layers first
   */
  public @Nullable String absurd(TensorInfo tensor, int most) {
    double own = file.absMax(tensor);
    if (own == 0 || file.lacksScale(tensor) || tensor.name().endsWith("scale")) {
      return null;
    }
    List<Double> others =
        peers(tensor).stream()
            .filter(t -> !file.lacksScale(t))
            .limit(most)
            .map(file::absMax)
            .filter(x -> x > 0)
            .sorted()
            .toList();
    if (others.isEmpty()) {
      return own > limits.weightAbs()
          ? "max |w| %.4g, which no weight should need".formatted(own)
          : null;
    }
    double median = others.get(others.size() / 2);
    boolean large = own > limits.weightRatio() * median;
    boolean small = others.size() >= ENOUGH_TO_CALL_SMALL && own * limits.weightRatio() < median;
    return large || small ? "max |w| %.4g, in other layers %.4g".formatted(own, median) : null;
  }

  /** The same tensor of other layers, the nearest first. */
  private List<TensorInfo> peers(TensorInfo tensor) {
    Optional<Role> own = Role.of(tensor.name());
    if (own.isEmpty()) {
      return List.of();
    }
    List<TensorInfo> peers = new ArrayList<>();
    for (TensorInfo other : file.tensors()) {
      Optional<Role> role = Role.of(other.name());
      if (role.isPresent()
          && role.get().same(own.get())
          && other != tensor
          && file.readable(other)) {
        peers.add(other);
      }
    }
    peers.sort(
        Comparator.comparingInt(
            t -> Math.abs(Role.of(t.name()).orElseThrow().layer() - own.get().layer())));
    return peers;
  }

  private record Role(String part, int layer, String tensor) {
    static Optional<Role> of(String name) {
      Matcher m = IN_LAYER.matcher(name);
      return m.matches()
          ? Optional.of(new Role(m.group(1), Integer.parseInt(m.group(2)), m.group(3)))
          : Optional.empty();
    }

    boolean same(Role other) {
      return part.equals(other.part) && tensor.equals(other.tensor);
    }
  }
}
