package org.modeltracer.quant;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.model.Site;

/** Makes a report of what two runs of a comparison gathered. */
record ComparedNodes(
    List<NodePair> pairs,
    ErrorTally free,
    @Nullable ErrorTally local,
    @Nullable Rounding rounding,
    GgufFile reference,
    GgufFile other,
    Thresholds thresholds) {

  QuantizationReport report(List<int[]> windows, double tolerance, boolean wantsLocal) {
    List<NodeError> nodes = nodes();
    return new QuantizationReport(
        windows.stream().mapToLong(w -> w.length).sum(),
        windows.getFirst().length,
        free.logits().isEmpty() ? null : free.logits().result(),
        free.embeddings(thresholds),
        nodes.stream()
            .sorted(Comparator.comparingDouble(ComparedNodes::badness).reversed())
            .toList(),
        layers(nodes),
        heads(),
        free.first(),
        rounding,
        nodes.stream().filter(ComparedNodes::broken).findFirst().orElse(null),
        nodes.stream().filter(NodeError::scaled).findFirst().orElse(null),
        tolerance,
        local != null
            ? null
            : wantsLocal ? "the graph shows no layer's input" : "local errors were not asked for",
        free.logits().tokens());
  }

  private static boolean broken(NodeError node) {
    return node.notFinite() + node.referenceNotFinite() > 0;
  }

  private static double badness(NodeError node) {
    TensorError own = node.local() != null ? node.local() : node.accumulated();
    double relative = broken(node) ? Double.POSITIVE_INFINITY : own.relativeL2();
    return Double.isNaN(relative) ? Double.POSITIVE_INFINITY : relative;
  }

  private List<NodeError> nodes() {
    var nodes = new ArrayList<NodeError>();
    for (NodePair pair : pairs) {
      if (free.of(pair).rows() > 0) {
        nodes.add(node(pair));
      }
    }
    return nodes;
  }

  private NodeError node(NodePair pair) {
    ErrorSums sums = free.of(pair);
    ErrorSums own = local == null ? null : local.of(pair);
    TensorError accumulated = sums.error();
    TensorError alone = own == null ? null : own.error();
    long notFinite = sums.broken() + (own == null ? 0 : own.broken());
    long referenceNotFinite = sums.referenceBroken();
    String weight = pair.reference().weight();
    return new NodeError(
        pair.reference().place(),
        pair.reference().tensor(),
        pair.reference().op(),
        pair.other().tensor(),
        weight,
        type(other, weight),
        type(reference, weight),
        sums.rows(),
        alone,
        accumulated,
        own == null ? null : own.withoutMassive(),
        sums.withoutMassive(),
        sums.massive(),
        notFinite,
        referenceNotFinite,
        notFinite + referenceNotFinite > 0
            ? QuantizationLevel.CRITICAL
            : level(accumulated, alone));
  }

  private QuantizationLevel level(TensorError accumulated, @Nullable TensorError alone) {
    QuantizationLevel level = QuantizationLevel.of(accumulated.likeness(), thresholds);
    if (alone == null) {
      return level;
    }
    QuantizationLevel own = QuantizationLevel.of(alone.likeness(), thresholds);
    return own.compareTo(level) > 0 ? own : level;
  }

  private static @Nullable String type(GgufFile file, @Nullable String weight) {
    return weight == null
        ? null
        : file.tensor(weight).map(tensor -> tensor.type().ggmlName()).orElse(null);
  }

  private static List<LayerError> layers(List<NodeError> nodes) {
    Map<Integer, List<NodeError>> byLayer = new TreeMap<>();
    nodes.stream()
        .filter(n -> n.place().inLayer())
        .forEach(n -> byLayer.computeIfAbsent(n.place().layer(), l -> new ArrayList<>()).add(n));
    var layers = new ArrayList<LayerError>();
    byLayer.forEach(
        (layer, own) -> {
          NodeError out =
              own.stream().filter(n -> n.place().site() == Site.LAYER_OUT).findFirst().orElse(null);
          layers.add(
              new LayerError(
                  layer,
                  out == null ? null : out.local(),
                  out == null ? null : out.accumulated(),
                  own.stream()
                      .max(Comparator.comparingDouble(ComparedNodes::badness))
                      .orElseThrow()
                      .name(),
                  own.stream().map(NodeError::level).max(Comparator.naturalOrder()).orElseThrow()));
        });
    return layers;
  }

  private List<HeadDivergence> heads() {
    var heads = new ArrayList<HeadDivergence>();
    free.heads()
        .forEach(
            (id, rows) -> {
              RowDivergence own = local == null ? null : local.heads().get(id);
              heads.add(
                  new HeadDivergence(
                      id.layer(),
                      id.head(),
                      own == null ? Double.NaN : own.mean(),
                      rows.mean(),
                      rows.max(),
                      rows.rows()));
            });
    heads.sort(Comparator.comparingDouble(HeadDivergence::accumulated).reversed());
    return heads;
  }
}
