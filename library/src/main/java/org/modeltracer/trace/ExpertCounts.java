package org.modeltracer.trace;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.trace.ActivationSummary.LayerExperts;

/** How often the router of each layer chose each expert. */
final class ExpertCounts {
  private final Thresholds limits;
  private long[][] counts = {};
  private long[] choices = {};

  ExpertCounts(Thresholds limits) {
    this.limits = limits;
  }

  /** Counts one choice; true once per layer, when there were enough to call an expert dead. */
  boolean record(int layer, int experts, int chosen) {
    if (layer >= counts.length) {
      int known = counts.length;
      counts = Arrays.copyOf(counts, layer + 1);
      choices = Arrays.copyOf(choices, layer + 1);
      Arrays.fill(counts, known, counts.length, new long[0]);
    }
    if (counts[layer].length < experts) {
      counts[layer] = Arrays.copyOf(counts[layer], experts);
    }
    if (chosen >= 0 && chosen < experts) {
      counts[layer][chosen]++;
    }
    return ++choices[layer] == (long) experts * limits.deadExpertChoices();
  }

  /** Times an expert was chosen. */
  long count(int layer, int expert) {
    return counts[layer][expert];
  }

  /** Choices made in a layer. */
  long choices(int layer) {
    return choices[layer];
  }

  /** Layers with a choice. */
  List<LayerExperts> layers() {
    List<LayerExperts> layers = new ArrayList<>();
    for (int layer = 0; layer < counts.length; layer++) {
      if (choices[layer] > 0) {
        layers.add(
            new LayerExperts(layer, choices[layer], Arrays.stream(counts[layer]).boxed().toList()));
      }
    }
    return layers;
  }
}
