package org.modeltracer.lens;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.modeltracer.llama.LlamaException;

/** What is read from scores that are written down by hand. */
class LensReaderTest {
  private static final float NAN = Float.NaN;

  private static PositionReading read(LensOptions options, int next, float[]... layers) {
    int size = layers[0].length;
    float[] all = new float[layers.length * size];
    for (int i = 0; i < layers.length; i++) {
      System.arraycopy(layers[i], 0, all, i * size, size);
    }
    List<Integer> names = IntStream.range(-1, layers.length - 1).boxed().toList();
    return new LensReader(names, id -> "<" + id + ">", size, options)
        .read(
            7,
            2,
            next,
            MemorySegment.ofArray(all),
            MemorySegment.ofArray(layers[layers.length - 1]));
  }

  private static PositionReading read(float[]... layers) {
    return read(new LensOptions(false, 2, List.of()), -1, layers);
  }

  private static float[] row(double... scores) {
    float[] row = new float[scores.length];
    for (int i = 0; i < row.length; i++) {
      row[i] = (float) scores[i];
    }
    return row;
  }

  @Test
  void decidedFromTheFirstLayerThatKeepsTheFinalToken() {
    float[] a = row(2, 1, 0);
    float[] b = row(1, 2, 0);
    assertThat(read(a, b, a, b, b).decisiveLayer()).isEqualTo(2);
    assertThat(read(b, b, b).decisiveLayer()).isEqualTo(-1);
    assertThat(read(b, b, a).decisiveLayer()).isEqualTo(1);
    assertThat(read(a, b, b, b, a).decisiveLayer()).isEqualTo(3);
  }

  @Test
  void amongEqualScoresTheLowerIdIsFirst() {
    PositionReading reading = read(row(1, 3, 3), row(0, 3, 3));
    assertThat(reading.layers().getFirst().top()).extracting(TokenScore::id).containsExactly(1, 2);
    assertThat(reading.tracked()).extracting(TokenEvolution::id).containsExactly(1, 2);
    assertThat(reading.tracked().get(1).ranks()).containsExactly(1, 1);
    assertThat(reading.decisiveLayer()).isEqualTo(-1);
  }

  @Test
  void numbersOfALayer() {
    double ln2 = Math.log(2);
    PositionReading reading = read(row(0, 0, Float.NEGATIVE_INFINITY), row(ln2, 0, 0));
    LayerReading first = reading.layers().getFirst();
    assertThat(first.entropy()).isCloseTo(ln2, within(1e-6));
    assertThat(first.probabilityOfFinal()).isCloseTo(0.5, within(1e-6));
    assertThat(first.rankOfFinal()).isZero();
    // What is likely in the end was ruled out here.
    assertThat(first.klToFinal()).isInfinite();
    LayerReading last = reading.layers().getLast();
    assertThat(last.top().getFirst())
        .isEqualTo(new TokenScore(0, "<0>", (float) ln2, last.probabilityOfFinal()));
    assertThat(last.probabilityOfFinal()).isCloseTo(0.5, within(1e-6));
    assertThat(last.klToFinal()).isZero();
    double kl = 0.5 * Math.log(0.5 * 3) + 0.25 * Math.log(0.25 * 3) * 2;
    assertThat(read(row(0, 0, 0), row(ln2, 0, 0)).layers().getFirst().klToFinal())
        .isCloseTo(kl, within(1e-6));
  }

  @Test
  void whatIsNotFiniteSaysNothing() {
    PositionReading reading = read(row(0, NAN, 0), row(2, 1, 0), row(2, 1, 0));
    LayerReading bad = reading.layers().getFirst();
    assertThat(bad.top()).isEmpty();
    assertThat(bad.klToFinal()).isNull();
    assertThat(reading.decisiveLayer()).isEqualTo(0);
    assertThat(reading.tracked().getFirst().logits()).startsWith((Double) null).contains(2.0);
    assertThat(reading.traces()).hasSize(2);
    PositionReading lost = read(row(2, 1, 0), row(NAN, NAN, NAN));
    assertThat(lost.decisiveLayer()).isNull();
    assertThat(lost.difference()).isNull();
    assertThat(lost.layers().getFirst().top()).hasSize(2);
    assertThat(lost.layers().getFirst().rankOfFinal()).isNull();
    assertThat(lost.traces()).isEmpty();
  }

  @Test
  void namedTokensAreTrackedAndTheNextOne() {
    var named = new LensOptions(false, 1, List.of(2, 9));
    PositionReading reading = read(named, 1, row(2, 1, 0), row(2, 1, 0));
    assertThat(reading.tracked()).extracting(TokenEvolution::id).containsExactly(2, 1);
    assertThat(reading.next()).isEqualTo(1);
    assertThat(reading.text()).isEqualTo("<2>");
    var automatic = new LensOptions(false, 1, List.of());
    assertThat(read(automatic, 2, row(2, 1, 0)).tracked())
        .extracting(TokenEvolution::id)
        .containsExactly(0, 2);
  }

  @Test
  void aLensThatIsNotTheModelsIsRefused() {
    var reader = new LensReader(List.of(-1), id -> "", 2, new LensOptions(false, 1, List.of()));
    MemorySegment own = MemorySegment.ofArray(row(1, 0));
    MemorySegment near = MemorySegment.ofArray(row(1.0005, 0));
    assertThat(reader.read(0, 0, -1, own, near).difference()).isCloseTo(5e-4, within(1e-6));
    assertThatThrownBy(() -> reader.read(0, 0, -1, own, MemorySegment.ofArray(row(0, 1))))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("off by up to 1.00");
  }
}
