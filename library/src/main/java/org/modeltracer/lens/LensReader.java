package org.modeltracer.lens;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.trace.LogitScan;
import org.modeltracer.trace.TopK;

/** Reads the scores of all layers: what is likely where, and from where on it stays so. */
final class LensReader {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** Part of the range of scores by which kernels may differ; a wrong lens is off by far more. */
  private static final double TOLERANCE = 0.05;

  private static final double NOISE = 1e-3;

  private final List<Integer> layers;
  private final IntFunction<String> vocabulary;
  private final int size;
  private final LensOptions options;
  private final LogitScan[] scans;
  private final TopK[] tops;
  private final Map<Integer, String> texts = new HashMap<>();

  LensReader(List<Integer> layers, IntFunction<String> vocabulary, int size, LensOptions options) {
    this.layers = layers;
    this.vocabulary = vocabulary;
    this.size = size;
    this.options = options;
    scans = new LogitScan[layers.size()];
    tops = new TopK[layers.size()];
    for (int i = 0; i < scans.length; i++) {
      scans[i] = new LogitScan();
      tops[i] = new TopK(Math.max(1, Math.min(options.top(), size)));
    }
  }

  /**
   * Reads one position.
   *
   * @param next token after it, -1 when there is none
   * @param scores float32 {@code [layer][vocabulary]}
   * @param model the model's own scores, {@code [vocabulary]}
   */
  PositionReading read(
      int position, int token, int next, MemorySegment scores, MemorySegment model) {
    for (int i = 0; i < scans.length; i++) {
      scans[i].scan(scores, 4L * size * i, size, tops[i]);
    }
    var readings = new ArrayList<LayerReading>();
    for (int i = 0; i < scans.length; i++) {
      readings.add(reading(i));
    }
    return new PositionReading(
        position,
        token,
        text(token),
        next < 0 ? null : next,
        List.copyOf(readings),
        tracked(next).stream().map(this::evolution).toList(),
        decisiveLayer(),
        difference(model));
  }

  private LogitScan last() {
    return scans[scans.length - 1];
  }

  private int finalTop() {
    return tops[tops.length - 1].index(0);
  }

  private LayerReading reading(int i) {
    LogitScan scan = scans[i];
    if (!scan.sound()) {
      return new LayerReading(layers.get(i), List.of(), null, null, null, null);
    }
    var top = new ArrayList<TokenScore>();
    for (int k = 0; k < tops[i].size(); k++) {
      int id = tops[i].index(k);
      top.add(new TokenScore(id, text(id), scan.logit(id), scan.probability(id)));
    }
    boolean ends = last().sound();
    return new LayerReading(
        layers.get(i),
        List.copyOf(top),
        ends ? scan.rank(finalTop()) : null,
        ends ? scan.probability(finalTop()) : null,
        scan.entropy(),
        ends ? last().divergence(scan) : null);
  }

  private Set<Integer> tracked(int next) {
    var tokens = new LinkedHashSet<Integer>(options.tracked());
    if (tokens.isEmpty() && last().sound()) {
      TopK top = tops[tops.length - 1];
      for (int k = 0; k < top.size(); k++) {
        tokens.add(top.index(k));
      }
    }
    if (next >= 0) {
      tokens.add(next);
    }
    tokens.removeIf(id -> id >= size);
    return tokens;
  }

  private TokenEvolution evolution(int id) {
    return new TokenEvolution(
        id,
        text(id),
        each(scan -> scan.logit(id)),
        each(scan -> scan.probability(id)),
        each(scan -> scan.rank(id)));
  }

  private <T> List<@Nullable T> each(Function<LogitScan, T> number) {
    var all = new ArrayList<@Nullable T>();
    for (LogitScan scan : scans) {
      all.add(scan.sound() ? number.apply(scan) : null);
    }
    return all;
  }

  private @Nullable Integer decisiveLayer() {
    if (!last().sound()) {
      return null;
    }
    int first = scans.length - 1;
    while (first > 0 && scans[first - 1].sound() && tops[first - 1].index(0) == finalTop()) {
      first--;
    }
    return layers.get(first);
  }

  private @Nullable Double difference(MemorySegment model) {
    double worst = 0;
    double least = Double.POSITIVE_INFINITY;
    double most = Double.NEGATIVE_INFINITY;
    for (int id = 0; id < size; id++) {
      double own = last().logit(id);
      double theirs = model.get(FLOAT, 4L * id);
      worst = own == theirs ? worst : Math.max(worst, Math.abs(own - theirs));
      least = Math.min(least, theirs);
      most = Math.max(most, theirs);
    }
    if (worst > Math.max(NOISE, TOLERANCE * (most - least))) {
      throw new LlamaException(
          LlamaException.Kind.DECODE,
          "the lens does not give the model's own scores after the last layer, but is off by up to"
              + " %.3g: please report this model".formatted(worst));
    }
    return Double.isFinite(worst) ? worst : null;
  }

  private String text(int token) {
    return texts.computeIfAbsent(token, vocabulary::apply);
  }
}
