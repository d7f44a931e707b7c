package org.modeltracer.gate.checks;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.weights.Dequantizer;
import org.modeltracer.weights.MatrixStructure;

/**
 * Which weights look like chance, where the model knows no language: all of them, or one beside its
 * fellows in other layers. A suspicion, never a verdict of its own.
 */
final class StrangeWeights {
  private static final Pattern IN_LAYER = Pattern.compile("blk\\.(\\d{1,9})\\.(.+)");
  private static final double NEARLY_ALL = 0.9;
  private static final int ENOUGH_PEERS = 3;

  /** So much more structure than chance the fellows must have for one without to be strange. */
  private static final double CLEAR = 1.6;

  private StrangeWeights() {}

  static List<Evidence> of(GgufFile file, Dequantizer ggml) {
    List<MatrixStructure> all = MatrixStructure.of(file, ggml);
    long random = all.stream().filter(MatrixStructure::looksRandom).count();
    if (!all.isEmpty() && random >= NEARLY_ALL * all.size()) {
      return List.of(
          Evidence.of(
              "random_weights",
              Severity.INFO,
              "%d of %d matrices look random: their rows and columns are as alike as chance has it"
                  .formatted(random, all.size())));
    }
    return alone(all);
  }

  private static List<Evidence> alone(List<MatrixStructure> all) {
    Map<String, List<MatrixStructure>> roles = new HashMap<>();
    for (MatrixStructure matrix : all) {
      Matcher name = IN_LAYER.matcher(matrix.tensor());
      if (name.matches()) {
        roles.computeIfAbsent(name.group(2), role -> new ArrayList<>()).add(matrix);
      }
    }
    Map<Double, Evidence> strange = new TreeMap<>(Comparator.reverseOrder());
    for (MatrixStructure matrix : all) {
      Matcher name = IN_LAYER.matcher(matrix.tensor());
      if (!name.matches() || !matrix.looksRandom()) {
        continue;
      }
      double[] others =
          roles.getOrDefault(name.group(2), List.of()).stream()
              .filter(other -> other != matrix)
              .mapToDouble(MatrixStructure::strength)
              .sorted()
              .toArray();
      if (others.length >= ENOUGH_PEERS && others[others.length / 2] > CLEAR) {
        strange.put(
            others[others.length / 2] / matrix.strength(),
            Evidence.ofTensor(
                "random_weights",
                Severity.INFO,
                matrix.tensor(),
                Integer.valueOf(name.group(1)),
                "%s looks random: its rows and columns differ in length %.2f times as much as chance, those of other layers %.2f times"
                    .formatted(matrix.tensor(), matrix.strength(), others[others.length / 2])));
      }
    }
    return List.copyOf(strange.values());
  }
}
