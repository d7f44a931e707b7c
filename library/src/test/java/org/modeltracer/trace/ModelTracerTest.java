package org.modeltracer.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.Place;
import org.modeltracer.model.ResidualChange;
import org.modeltracer.model.Site;

class ModelTracerTest {
  private static final Place FFN_2 = new Place(Site.FFN_OUT, 2);
  private final Toy toy = new Toy(TracerConfig.full());
  private final ModelTracer tracer = toy.tracer;

  @Test
  void healthyRunsAreSilent() {
    for (int i = 0; i < 300; i++) {
      assertThat(toy.step()).isNull();
    }
    assertThat(tracer.anomalies()).isEmpty();
  }

  @Test
  void theFirstOfTheHighestSeverityIsReturned() {
    tracer.beginForward(7, 1);
    toy.observe(new Place(Site.KEY, 0), "Kcur-0", 3, 30000);
    toy.observe(FFN_2, "ffn_out-2", 5, Float.NaN);
    toy.observe(new Place(Site.LAYER_OUT, 2), "l_out-2", 5, Float.NaN);
    Anomaly anomaly = tracer.endForward().orElseThrow();
    assertThat(anomaly.tensor()).isEqualTo("ffn_out-2");
    assertThat(anomaly.kind()).isEqualTo(AnomalyKind.NAN);
    assertThat(anomaly.layer()).isEqualTo(2);
    assertThat(anomaly.firstIndex()).containsExactly(5L, 0L, 0L, 0L);
    assertThat(anomaly.forward()).isZero();
    assertThat(anomaly.numel()).isEqualTo(Toy.WIDTH);
    assertThat(anomaly.message())
        .isEqualTo("ffn_out-2 (MUL_MAT), position 0: 1 of 32 values are NaN");
    assertThat(tracer.anomalies())
        .extracting(Anomaly::kind)
        .containsExactly(AnomalyKind.HEADROOM, AnomalyKind.NAN, AnomalyKind.NAN);
    tracer.beginForward(8, 1);
    assertThat(tracer.endForward()).isEmpty();
  }

  @Test
  void repeatsAreCountedAndReturnedAsFirstSeen() {
    List<Anomaly> told = new ArrayList<>();
    tracer.addListener(
        new TraceListener() {
          @Override
          public void onAnomaly(Anomaly anomaly) {
            told.add(anomaly);
          }
        });
    for (int pass = 0; pass < 5; pass++) {
      tracer.beginForward(pass, 1);
      toy.observe(FFN_2, "ffn_out-2", 5, Float.NaN);
      assertThat(tracer.endForward().orElseThrow().forward()).isZero();
    }
    assertThat(told).hasSize(1);
    assertThat(tracer.anomalies().getFirst().repeats()).isEqualTo(4);
    assertThat(tracer.summary().anomaliesDetected()).isEqualTo(5);
  }

  @Test
  void firstIndexFollowsTheShape() {
    float[] values = new float[2 * 3 * 4];
    Arrays.fill(values, 1);
    values[0] = 2;
    values[1 + 2 * (2 + 3 * 3)] = Float.POSITIVE_INFINITY;
    Observation seen = new Observation().of(FFN_2, "x", "ADD", new long[] {2, 3, 4, 1});
    seen.stats().add(MemorySegment.ofArray(values), 0, values.length);
    assertThat(seen.firstIndex()).containsExactly(1L, 2L, 3L, 0L);
  }

  @Test
  void layersAreTheSumOfTheirPasses() {
    for (int i = 0; i < 10; i++) {
      toy.step();
    }
    assertThat(tracer.activations().layers()).hasSize(Toy.LAYERS);
    LayerActivationTrace layer = tracer.activations().layers().get(1);
    assertThat(layer.input()).isEqualTo(tracer.activations().layers().get(0).output());
    assertThat(layer.postFfn().observations()).isEqualTo(10);
    assertThat(layer.postFfn().aggregate().count()).isEqualTo(10 * Toy.WIDTH);
    assertThat(layer.postFfn().first()).isNotEqualTo(layer.postFfn().last());
    assertThat(layer.residualRatio()).isCloseTo(10 / 13.0, within(1e-12));
    assertThat(layer.cosine()).isCloseTo(0.95, within(1e-12));
    assertThat(layer.outputRatio()).isCloseTo(1.1, within(1e-12));
    assertThat(layer.headroomBits()).isBetween(15.0, 15.1);
  }

  @Test
  void aLayerThatAddsNothingAndADeadHead() {
    tracer.beginForward(0, 10);
    var still = new ResidualChange();
    for (int token = 0; token < 10; token++) {
      still.add(100, 0.1, 100, 1);
    }
    tracer.recordResidual(1, still);
    Observation head =
        new Observation()
            .of(new Place(Site.CONTEXT, 1), "kqv_out-1", "CONT", new long[] {8, 1, 1, 1})
            .head(3);
    head.stats().add(MemorySegment.ofArray(new float[8]), 0, 8);
    tracer.recordActivation(head);
    tracer.endForward();
    assertThat(tracer.anomalies())
        .extracting(Anomaly::kind)
        .containsExactly(AnomalyKind.RESIDUAL_DOMINANCE, AnomalyKind.DEAD_HEAD);
    assertThat(tracer.anomalies().get(1).head()).isEqualTo(3);
  }

  @Test
  void anExpertThatIsNeverChosen() {
    tracer.beginForward(0, 1);
    for (int i = 0; i < 2000; i++) {
      tracer.recordExpert(0, 4, i % 3);
      tracer.recordExpert(1, 4, i % 4);
    }
    Anomaly anomaly = tracer.endForward().orElseThrow();
    assertThat(tracer.anomalies()).containsExactly(anomaly);
    assertThat(anomaly.kind()).isEqualTo(AnomalyKind.DEAD_EXPERT);
    assertThat(anomaly.severity()).isEqualTo(Severity.INFO);
    assertThat(anomaly.expert()).isEqualTo(3);
    assertThat(anomaly.message()).contains("never chosen in the first 400 choices");
  }

  @Test
  void badRowsCountByLayer() {
    float[] weights = {0.5f, Float.NaN};
    AttentionRow row = new AttentionRow();
    tracer.beginForward(0, 2);
    for (int head = 0; head < 4; head++) {
      tracer.recordAttention(row.at(0, head, 0, 1, 0, 2, MemorySegment.ofArray(weights), 0));
    }
    Anomaly anomaly = tracer.endForward().orElseThrow();
    assertThat(anomaly.kind()).isEqualTo(AnomalyKind.NAN);
    assertThat(anomaly.site()).isEqualTo(Site.ATTENTION);
    assertThat(tracer.anomalies().getFirst().repeats()).isEqualTo(3);
  }

  @Test
  void headsThatCollapseOrAreUniform() {
    float[] spike = new float[64];
    spike[5] = 1;
    float[] sink = new float[64];
    sink[0] = 1;
    float[] flat = new float[64];
    AttentionRow row = new AttentionRow();
    for (int query = 10; query < 84; query++) {
      tracer.beginForward(query, 1);
      int size = Math.min(64, query + 1);
      Arrays.fill(flat, 1f / size);
      float[][] heads = {spike, sink, flat};
      for (int head = 0; head < 3; head++) {
        MemorySegment weights = MemorySegment.ofArray(heads[head]);
        tracer.recordAttention(row.at(2, head, 0, query, 0, size, weights, 0));
      }
      tracer.endForward();
    }
    assertThat(tracer.anomalies())
        .extracting(Anomaly::kind, Anomaly::head)
        .containsExactly(
            tuple(AnomalyKind.UNIFORM_ATTENTION, 2), tuple(AnomalyKind.ATTENTION_COLLAPSE, 0));
  }

  @Test
  void generatedTextThatLoops() {
    toy.step = 20;
    tracer.beginForward(20, 1);
    tracer.endForward();
    byte[] piece = {'G'};
    for (int step = 0; step < 32; step++) {
      tracer.beginForward(20 + step, 1);
      tracer.endForward();
      tracer.recordToken(step, 71, piece);
    }
    Anomaly anomaly = tracer.anomalies().getFirst();
    assertThat(anomaly.kind()).isEqualTo(AnomalyKind.REPETITION);
    assertThat(anomaly.position()).isEqualTo(21);
    assertThat(anomaly.message())
        .isEqualTo("generated text: token 71 32 times in a row, since step 0");
  }

  @Test
  void badLogitsAndQuantization() {
    tracer.beginForward(0, 1);
    float[] logits = new float[10];
    tracer.recordLogits(4, MemorySegment.ofArray(logits), 0, 10, -1);
    Anomaly anomaly = tracer.endForward().orElseThrow();
    assertThat(anomaly.kind()).isEqualTo(AnomalyKind.LOGITS);
    assertThat(anomaly.position()).isEqualTo(4);
    tracer.recordQuantError(
        new QuantizationErrorTrace(
            FFN_2, "ffn_out-2", 1, 1, 1, 0.98, 3, QuantizationLevel.CRITICAL));
    assertThat(tracer.anomalies().getLast().kind()).isEqualTo(AnomalyKind.QUANTIZATION);
    assertThat(tracer.summary().quantCriticals()).isEqualTo(1);
  }

  @Test
  void filtersAndDisabledTracersIgnore() {
    Toy filtered =
        new Toy(
            TracerConfig.builder().attention(true).layers(List.of(1)).heads(List.of(0, 3)).build());
    filtered.step();
    assertThat(filtered.tracer.summary().attentionTraces()).isEqualTo(2);
    assertThat(filtered.tracer.activations().layers()).isEmpty();
    Toy off = new Toy(TracerConfig.disabled());
    assertThat(off.tracer.isEnabled()).isFalse();
    off.step();
    assertThat(off.tracer.summary().totalForwards()).isZero();
  }

  @Test
  void clearForgetsWhatWasRecorded() {
    toy.step();
    toy.observe(FFN_2, "ffn_out-2", 5, Float.NaN);
    tracer.clear();
    assertThat(tracer.endForward()).isEmpty();
    assertThat(tracer.anomalies()).isEmpty();
    assertThat(tracer.summary().totalForwards()).isZero();
  }

  @Test
  void wrongConfigurationsAreRefused() {
    assertThatThrownBy(() -> TracerConfig.builder().topK(0).build())
        .hasMessage("top-k must be at least 1");
    assertThatThrownBy(() -> TracerConfig.builder().weightThreshold(Double.NaN).build())
        .hasMessage("weight threshold must be from 0 to 1, not NaN");
  }
}
