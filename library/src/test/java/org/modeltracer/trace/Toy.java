package org.modeltracer.trace;

import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.Place;
import org.modeltracer.model.ResidualChange;
import org.modeltracer.model.Site;

/** A model of four layers, four heads and made-up numbers, run under a tracer. */
final class Toy {
  static final int LAYERS = 4;
  static final int HEADS = 4;
  static final int WIDTH = 32;
  static final int VOCABULARY = 64;
  private static final Site[] SITES = {Site.ATTN_NORM, Site.ATTN_OUT, Site.FFN_OUT, Site.LAYER_OUT};
  private static final Place EMBEDDING = new Place(Site.EMBEDDING, Place.BEFORE_LAYERS);

  final ModelTracer tracer;
  final Random random = new Random(99);
  final float[] values = new float[WIDTH];
  final float[] logits = new float[VOCABULARY];
  private final MemorySegment valueSegment = MemorySegment.ofArray(values);
  private final MemorySegment logitSegment = MemorySegment.ofArray(logits);
  private final Place[][] places = new Place[LAYERS][SITES.length];
  private final String[][] names = new String[LAYERS][SITES.length];
  private final long[] shape = {WIDTH, 1, 1, 1};
  private final Observation seen = new Observation();
  private final AttentionRow row = new AttentionRow();
  private final float[] weights = new float[4096];
  private final MemorySegment weightSegment = MemorySegment.ofArray(weights);
  private final ResidualChange change = new ResidualChange().add(10, 3, 11, 0.95);
  private final KvCacheStateTrace cache =
      new KvCacheStateTrace(0, 1, 1 << 20, 64, 0, Double.NaN, 0, 0, null);
  private final byte[] piece = {'a', ' '};
  int step;

  Toy(TracerConfig config) {
    tracer = new ModelTracer(config);
    for (int layer = 0; layer < LAYERS; layer++) {
      for (int i = 0; i < SITES.length; i++) {
        places[layer][i] = new Place(SITES[i], layer);
        names[layer][i] = SITES[i].id() + "-" + layer;
      }
    }
  }

  /** One healthy decode step; the anomaly of the pass, or null. */
  Anomaly step() {
    tracer.beginForward(step, 1);
    observe(EMBEDDING, "embd");
    for (int layer = 0; layer < LAYERS; layer++) {
      for (int i = 0; i < SITES.length; i++) {
        observe(places[layer][i], names[layer][i]);
      }
      tracer.recordResidual(layer, change);
      tracer.recordExpert(layer, 2, step % 2);
      if (tracer.config().attention()) {
        attend(layer);
      }
    }
    observe(Place.LOGITS, "result_output");
    fill(logits);
    tracer.recordLogits(step, logitSegment, 0, VOCABULARY, random.nextInt(VOCABULARY));
    tracer.recordKvState(cache);
    tracer.recordToken(step + 1, random.nextInt(VOCABULARY), piece);
    step++;
    return tracer.endForward().orElse(null);
  }

  /** Records a tensor of random values with {@code bad} put at {@code index}. */
  void observe(Place place, String name, int index, float bad) {
    fill(values);
    values[index] = bad;
    seen.of(place, name, "MUL_MAT", shape).position(step).stats().add(valueSegment, 0, WIDTH);
    tracer.recordActivation(seen);
  }

  private void observe(Place place, String name) {
    fill(values);
    seen.of(place, name, "ADD", shape).position(step).stats().add(valueSegment, 0, WIDTH);
    tracer.recordActivation(seen);
  }

  private void attend(int layer) {
    int size = Math.min(step + 1, weights.length);
    for (int head = 0; head < HEADS; head++) {
      double sum = 0;
      for (int i = 0; i < size; i++) {
        weights[i] = random.nextFloat() * random.nextFloat();
        sum += weights[i];
      }
      for (int i = 0; i < size; i++) {
        weights[i] /= (float) sum;
      }
      tracer.recordAttention(row.at(layer, head, 0, step, step + 1 - size, size, weightSegment, 0));
    }
  }

  private void fill(float[] target) {
    for (int i = 0; i < target.length; i++) {
      target[i] = 4 * random.nextFloat() - 2;
    }
  }
}
