package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.testing.Golden;
import org.modeltracer.trace.Json;

/** A layer's own error, against models of which one layer alone is changed. */
class LocalErrorTest {
  private static final Path BASE = Golden.model("tinyllama-mha-f32.gguf");
  private static final int LAYERS = 4;

  @TempDir private Path folder;

  private static QuantizationReport compare(Path other) {
    try (var comparison = Comparison.open(Texts.setup(BASE, 64, 20), Texts.setup(other, 64, 20))) {
      return comparison.run(Texts.tokens(), ComparisonOptions.defaults(), (done, all) -> {});
    }
  }

  private Path perturbed(String name, Predicate<String> tensors, double share) {
    return new Edited(BASE).perturb(tensors, share).write(folder.resolve(name + ".gguf"));
  }

  private static TensorError local(NodeError node) {
    TensorError local = node.local();
    assertThat(local).as(node.tensor()).isNotNull();
    return local;
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3})
  void theLayerThatWasChangedIsTheOneWithAnErrorOfItsOwn(int changed) {
    QuantizationReport report =
        compare(perturbed("one", name -> name.startsWith("blk." + changed + "."), 0.05));
    NodeError worst = report.nodes().getFirst();
    assertThat(worst.place().layer()).isEqualTo(changed);
    assertThat(local(worst).relativeL2()).isGreaterThan(0.01);
    for (NodeError node : report.nodes()) {
      int layer = node.place().layer();
      if (layer != changed) {
        assertThat(local(node).relativeL2()).as(node.toString()).isZero();
      }
      if (layer < changed) {
        assertThat(node.accumulated().relativeL2()).as(node.toString()).isZero();
      } else if (layer > changed) {
        assertThat(node.accumulated().relativeL2()).as(node.toString()).isGreaterThan(1e-4);
      }
    }
    assertThat(report.layers()).hasSize(LAYERS);
    LayerError guilty =
        report.layers().stream()
            .max(Comparator.comparingDouble(l -> l.local() == null ? -1 : l.local().relativeL2()))
            .orElseThrow();
    assertThat(guilty.layer()).isEqualTo(changed);
    report.heads().stream()
        .filter(head -> head.layer() != changed)
        .forEach(head -> assertThat(head.local()).isZero());
    assertThat(report.firstDivergence()).isNotNull();
    assertThat(report.firstDivergence().place().layer()).isEqualTo(changed);
  }

  /**
   * With all layers changed, a layer's own error is what it would be were that layer alone changed:
   * which a run without any steering measures as its accumulated error.
   */
  @Test
  void isTheErrorOfThatLayerAloneWhenAllAreChanged() {
    Map<String, NodeError> all =
        byName(compare(perturbed("all", name -> name.startsWith("blk."), 0.05)));
    for (int layer = 0; layer < LAYERS; layer++) {
      int own = layer;
      QuantizationReport alone =
          compare(perturbed("alone", name -> name.startsWith("blk." + own + "."), 0.05));
      List<NodeError> nodes =
          alone.nodes().stream()
              .filter(n -> n.place().layer() == own && n.place().site() != Site.OTHER)
              .toList();
      assertThat(nodes).hasSizeGreaterThan(12);
      for (NodeError node : nodes) {
        TensorError expected = node.accumulated();
        TensorError found = local(all.get(key(node)));
        assertThat(found.relativeL2())
            .as(node.tensor())
            .isCloseTo(expected.relativeL2(), within(1e-6 + 1e-4 * expected.relativeL2()));
        assertThat(found.cosine()).isCloseTo(expected.cosine(), within(1e-6));
      }
    }
  }

  private static Map<String, NodeError> byName(QuantizationReport report) {
    var byName = new HashMap<String, NodeError>();
    report.nodes().forEach(node -> byName.merge(key(node), node, (a, b) -> a));
    return byName;
  }

  private static String key(NodeError node) {
    return node.place() + " " + node.tensor() + " " + node.op();
  }

  @Test
  void aModelAgainstItselfHasNoErrorAnywhere() {
    QuantizationReport report = compare(BASE);
    assertThat(report.nodes()).hasSizeGreaterThan(70);
    for (NodeError node : report.nodes()) {
      assertThat(node.accumulated())
          .isEqualTo(new TensorError(0, 0, 0, 1, 1, Double.POSITIVE_INFINITY));
      assertThat(node.local()).isEqualTo(node.accumulated());
      assertThat(node.level()).isEqualTo(QuantizationLevel.ACCEPTABLE);
    }
    assertThat(report.firstDivergence()).isNull();
    assertThat(report.heads()).hasSize(16).allMatch(head -> head.accumulatedMax() == 0);
  }

  @Test
  void everyPlaceOfEveryLayerIsCompared() {
    QuantizationReport report = compare(BASE);
    for (int layer = 0; layer < LAYERS; layer++) {
      int own = layer;
      assertThat(
              report.nodes().stream()
                  .filter(n -> n.place().layer() == own)
                  .map(n -> n.place().site()))
          .contains(
              Site.ATTN_NORM,
              Site.QUERY,
              Site.KEY,
              Site.VALUE,
              Site.ATTENTION,
              Site.CONTEXT,
              Site.ATTN_OUT,
              Site.RESIDUAL_MID,
              Site.FFN_NORM,
              Site.FFN_GATE,
              Site.FFN_UP,
              Site.FFN_HIDDEN,
              Site.FFN_OUT,
              Site.LAYER_OUT);
    }
    assertThat(report.nodes().stream().map(NodeError::place))
        .contains(
            new Place(Site.EMBEDDING, Place.BEFORE_LAYERS),
            new Place(Site.FINAL_NORM, Place.AFTER_LAYERS),
            new Place(Site.LOGITS, Place.AFTER_LAYERS));
    assertThat(report.nodes())
        .isNotEmpty()
        .allMatch(n -> n.rows() == 64 || n.place().site() == Site.ATTENTION);
    assertThat(report.nodes().stream().filter(n -> "blk.1.ffn_down.weight".equals(n.weight())))
        .singleElement()
        .matches(n -> n.place().equals(new Place(Site.FFN_OUT, 1)) && "f32".equals(n.type()));
  }

  @Test
  void whatIsNotFiniteIsCriticalAndNamedFirst() {
    Path broken =
        new Edited(BASE)
            .scaleRow("blk.1.attn_v.weight", 3, Float.NaN)
            .write(folder.resolve("nan.gguf"));
    QuantizationReport report = compare(broken);
    NodeError value =
        report.nodes().stream()
            .filter(n -> n.place().equals(new Place(Site.VALUE, 1)))
            .findFirst()
            .orElseThrow();
    // One dimension of 64 tokens, in either run; the other dimensions are as they were.
    assertThat(value.notFinite()).isEqualTo(2 * 64);
    assertThat(value.level()).isEqualTo(QuantizationLevel.CRITICAL);
    assertThat(value.accumulated().relativeL2()).isZero();
    assertThat(report.firstDivergence()).isNotNull();
    assertThat(report.firstDivergence().place().layer()).isEqualTo(1);
    assertThat(report.firstDivergence().relativeL2()).isNaN();
    assertThat(report.nodes().getFirst().notFinite()).isPositive();
    assertThat(report.logits()).isNotNull();
    assertThat(Json.line(report.toJson())).contains("\"kl_mean\":null").doesNotContain("NaN,");
  }

  /** A dimension of the stream that dwarfs the rest hides the error of the rest. */
  @Test
  void massiveDimensionsAreLeftOutToo() {
    Path giant =
        new Edited(BASE)
            .scaleRow("blk.1.ffn_down.weight", 7, 50_000)
            .write(folder.resolve("giant.gguf"));
    Path other =
        new Edited(giant)
            .perturb(name -> name.equals("blk.1.ffn_up.weight"), 0.1)
            .write(folder.resolve("other.gguf"));
    try (var comparison = Comparison.open(Texts.setup(giant, 64, 20), Texts.setup(other, 64, 20))) {
      QuantizationReport report =
          comparison.run(Texts.tokens(), ComparisonOptions.defaults(), (done, all) -> {});
      NodeError out =
          report.nodes().stream()
              .filter(n -> n.place().equals(new Place(Site.LAYER_OUT, 1)))
              .findFirst()
              .orElseThrow();
      assertThat(out.massive()).containsExactly(7);
      assertThat(out.localWithoutMassive()).isNotNull();
      assertThat(out.localWithoutMassive().maxAbs()).isLessThan(local(out).maxAbs() / 100);
      assertThat(out.accumulatedWithoutMassive()).isNotNull();
      assertThat(
              report.nodes().stream()
                  .filter(n -> n.place().layer() == 0)
                  .flatMap(n -> n.massive().stream()))
          .isEmpty();
    }
  }
}
