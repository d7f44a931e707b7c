package org.modeltracer.quant;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.model.Place;

/** A report as JSON; its schema lies beside this class as a resource. */
final class ReportJson {
  /** Version of the layout. */
  static final int SCHEMA_VERSION = 1;

  private ReportJson() {}

  /** All but the nodes, for the summary. */
  static Map<String, @Nullable Object> overview(QuantizationReport report) {
    Map<String, @Nullable Object> all = new LinkedHashMap<>();
    all.put("tokens", report.tokens());
    all.put("window", report.window());
    all.put("logits", report.logits());
    all.put("embeddings", report.embeddings());
    all.put("warnings", report.count(QuantizationLevel.WARNING));
    all.put("criticals", report.count(QuantizationLevel.CRITICAL));
    all.put("layers", report.layers());
    all.put("heads", report.heads());
    all.put("tolerance", report.tolerance());
    all.put("first_divergence", first(report.firstDivergence()));
    all.put("rounding", rounding(report.rounding()));
    all.put("first_not_finite", notFinite(report.firstNotFinite()));
    all.put("first_scaled", scaled(report.firstScaled()));
    all.put("local_absent", report.localReason());
    return all;
  }

  static Map<String, @Nullable Object> whole(QuantizationReport report) {
    Map<String, @Nullable Object> all = overview(report);
    all.put("nodes", report.nodes().stream().map(ReportJson::node).toList());
    return all;
  }

  private static Map<String, @Nullable Object> node(NodeError node) {
    Map<String, @Nullable Object> object = place(node.place());
    object.put("tensor", node.tensor());
    object.put("op", node.op());
    object.put("other_tensor", node.otherTensor());
    object.put("weight", node.weight());
    object.put("type", node.type());
    object.put("reference_type", node.referenceType());
    object.put("rows", node.rows());
    object.put("local", node.local());
    object.put("accumulated", node.accumulated());
    object.put("massive_dimensions", node.massive());
    object.put("local_without_massive", node.localWithoutMassive());
    object.put("accumulated_without_massive", node.accumulatedWithoutMassive());
    object.put("not_finite", node.notFinite());
    object.put("reference_not_finite", node.referenceNotFinite());
    object.put("level", node.level());
    return object;
  }

  private static Map<String, @Nullable Object> place(Place place) {
    Map<String, @Nullable Object> object = new LinkedHashMap<>();
    object.put("layer", place.layerOrNull());
    object.put("site", place.site());
    return object;
  }

  private static @Nullable Map<String, @Nullable Object> notFinite(@Nullable NodeError first) {
    if (first == null) {
      return null;
    }
    Map<String, @Nullable Object> object = place(first.place());
    object.put("tensor", first.tensor());
    object.put("op", first.op());
    object.put("not_finite", first.notFinite());
    object.put("reference_not_finite", first.referenceNotFinite());
    return object;
  }

  private static @Nullable Map<String, @Nullable Object> scaled(@Nullable NodeError first) {
    if (first == null) {
      return null;
    }
    Map<String, @Nullable Object> object = place(first.place());
    object.put("tensor", first.tensor());
    object.put("op", first.op());
    object.put("weight", first.weight());
    object.put("scale", first.own().scale());
    return object;
  }

  private static @Nullable Map<String, @Nullable Object> rounding(@Nullable Rounding rounding) {
    if (rounding == null) {
      return null;
    }
    Map<String, @Nullable Object> object = new LinkedHashMap<>();
    object.put("nodes", rounding.nodes());
    object.put("exact", rounding.exact());
    object.put("reference_error", rounding.referenceError());
    object.put("largest", rounding.largest());
    object.put("first", unexplained(rounding.first()));
    return object;
  }

  private static @Nullable Map<String, @Nullable Object> unexplained(@Nullable Unexplained first) {
    if (first == null) {
      return null;
    }
    Map<String, @Nullable Object> object = place(first.place());
    object.put("tensor", first.tensor());
    object.put("op", first.op());
    object.put("other_tensor", first.otherTensor());
    object.put("position", first.position());
    object.put("relative_l2", first.relativeL2());
    object.put("explained", first.explained());
    object.put("wrong", first.side());
    return object;
  }

  private static @Nullable Map<String, @Nullable Object> first(@Nullable FirstDivergence first) {
    if (first == null) {
      return null;
    }
    Map<String, @Nullable Object> object = place(first.place());
    object.put("tensor", first.tensor());
    object.put("op", first.op());
    object.put("other_tensor", first.otherTensor());
    object.put("position", first.position());
    object.put("relative_l2", first.relativeL2());
    return object;
  }
}
