package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.probe.NodeValues;
import org.modeltracer.session.SessionListener;
import org.modeltracer.session.TracedSession;
import org.modeltracer.testing.Golden;
import org.modeltracer.testing.ModelsAtHand;
import org.modeltracer.testing.Sample;

/** What rounding explains raises no alarm; a kernel that computes something else is found. */
class RoundingTest {
  private static final int WINDOW = 48;

  @TempDir private static Path folder;

  /** Every model at hand that can be compared. */
  static List<Path> models() throws IOException {
    return ModelsAtHand.ofOneGraph(folder);
  }

  /** The older release knows neither most of the other architectures nor their vocabulary. */
  static List<Path> ofOlderReleases() throws IOException {
    return Sample.of(
        models().stream()
            .filter(f -> f.getFileName().toString().matches("(tinyllama|rand-(qwen2|mixtral)).*"))
            .toList(),
        2);
  }

  static List<Path> few() throws IOException {
    return Sample.of(models(), 2);
  }

  static List<Path> planted() throws IOException {
    return Sample.of(models(), 6);
  }

  static List<Path> some() throws IOException {
    return Sample.of(models(), 2);
  }

  static Setup setup(Path model, FlashAttention flash, int threads) {
    Setup setup = Texts.setup(model, WINDOW, WINDOW / 3);
    return setup.withContext(setup.context().withFlashAttention(flash).withThreads(threads));
  }

  private static int[] tokens(Path model) {
    int most =
        GgufFile.read(model).tensor("token_embd.weight").orElseThrow().shape().get(1).intValue();
    return new Random(3).ints(WINDOW, 0, most).toArray();
  }

  static Rounding compare(Setup one, Setup two) {
    try (var comparison = Comparison.open(one, two)) {
      return rounding(comparison, one.model());
    }
  }

  private static Rounding rounding(Comparison comparison, Path model) {
    Rounding rounding =
        comparison.run(tokens(model), ComparisonOptions.defaults(), (done, all) -> {}).rounding();
    assertThat(rounding).isNotNull();
    assertThat(rounding.nodes()).isGreaterThan(10);
    return rounding;
  }

  @ParameterizedTest
  @MethodSource("some")
  void flashAttentionOnAndOffIsRounding(Path model) {
    var one = setup(model, FlashAttention.OFF, 1);
    var two = setup(model, FlashAttention.ON, 1);
    assertThat(compare(one, two).first()).isNull();
    assertThat(compare(two, one).first()).isNull();
  }

  @ParameterizedTest
  @MethodSource("few")
  void anotherNumberOfThreadsIsRounding(Path model) {
    Rounding rounding =
        compare(setup(model, FlashAttention.ON, 1), setup(model, FlashAttention.ON, 2));
    assertThat(rounding.first()).isNull();
  }

  @ParameterizedTest
  @MethodSource("ofOlderReleases")
  void anotherReleaseIsRounding(Path model) {
    Optional<Path> older = Runtimes.embedded("b4916");
    Optional<Path> usual = Runtimes.embedded("v0.5.0");
    assumeThat(older).as("b4916 for this platform").isPresent();
    assumeThat(usual).as("v0.5.0 for this platform").isPresent();
    Setup one = setup(model, FlashAttention.OFF, 1).withLibrary(usual.orElseThrow());
    assertThat(compare(one, one.withLibrary(older.orElseThrow())).first()).isNull();
  }

  /** Which token's row is wrong. */
  private static final int WRONG = WINDOW / 2 + 1;

  private enum Kernel {
    /** Leaves the last quarter of a row undone. */
    NO_TAIL {
      @Override
      float wrong(float[] row, int i) {
        return i < row.length - Math.max(1, row.length / 4) ? row[i] : 0;
      }
    },
    /** Mixes neighbours up. */
    SWAPPED {
      @Override
      float wrong(float[] row, int i) {
        return row[(i ^ 1) < row.length ? i ^ 1 : i];
      }
    },
    /** Has a factor wrong. */
    SCALED {
      @Override
      float wrong(float[] row, int i) {
        return row[i] * 1.5f;
      }
    };

    abstract float wrong(float[] row, int i);
  }

  /** Changes one node's tensor under the watch of one side. */
  private static final class Plant implements SessionListener {
    private final NodeInfo node;
    private final Kernel kernel;
    private boolean planted;

    Plant(NodeInfo node, Kernel kernel) {
      this.node = node;
      this.kernel = kernel;
    }

    @Override
    public Set<String> nodes() {
      return Set.of(node.key());
    }

    @Override
    public void onNode(NodeValues values) {
      int at = WRONG - values.firstPosition();
      if (at < 0 || at >= values.rows() || !values.replaceable()) {
        return;
      }
      int width = values.width();
      float[] all =
          values
              .values()
              .asSlice(0, 4L * values.rows() * width)
              .toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
      float[] row = Arrays.copyOfRange(all, at * width, (at + 1) * width);
      for (int i = 0; i < width; i++) {
        planted |= kernel.wrong(row, i) != row[i];
        all[at * width + i] = kernel.wrong(row, i);
      }
      values.replace(MemorySegment.ofArray(all));
    }

    @Override
    public String toString() {
      return node + " " + kernel;
    }
  }

  @ParameterizedTest
  @MethodSource("planted")
  void aWrongKernelIsFoundAtItsNode(Path model) {
    Setup setup = setup(model, FlashAttention.OFF, 1);
    try (var comparison = Comparison.open(setup, setup)) {
      TracedSession other = ((ThreadPartner) comparison.partner()).model().session();
      List<NodeInfo> nodes =
          other.nodes().stream().filter(n -> n.place().site() != Site.ATTENTION).toList();
      var random = new Random(model.getFileName().hashCode());
      int planted = 0;
      for (int i = 0; planted < Sample.times(1, 20); i++) {
        assertThat(i).isLessThan(100);
        var plant = new Plant(nodes.get(random.nextInt(nodes.size())), Kernel.values()[i % 3]);
        Rounding rounding;
        try (var _ = other.listen(plant)) {
          rounding = rounding(comparison, model);
        }
        Unexplained first = rounding.first();
        if (!plant.planted) {
          assertThat(first).as(plant.toString()).isNull();
          continue;
        }
        planted++;
        assertThat(first).as(plant.toString()).isNotNull();
        assertThat(first.tensor()).as(plant.toString()).isEqualTo(plant.node.tensor());
        assertThat(first.op()).as(plant.toString()).isEqualTo(plant.node.op());
        assertThat(first.place()).as(plant.toString()).isEqualTo(plant.node.place());
        assertThat(first.position()).as(plant.toString()).isEqualTo(WRONG);
        assertThat(first.side()).isNotEqualTo(Unexplained.Side.REFERENCE);
      }
    }
  }

  /** The same with the sides the other way round: float64 says whose kernel it is. */
  @Test
  void aWrongReferenceIsToldFromAWrongModel() {
    Path model = Golden.model("tinyllama-mha-Q8_0.gguf");
    Setup setup = setup(model, FlashAttention.ON, 1);
    for (boolean reference : new boolean[] {true, false}) {
      try (var comparison = Comparison.open(setup, setup)) {
        TracedSession wrong =
            reference
                ? comparison.reference().session()
                : ((ThreadPartner) comparison.partner()).model().session();
        NodeInfo up =
            wrong.nodes().stream()
                .filter(n -> n.place().equals(new Place(Site.FFN_UP, 1)))
                .findFirst()
                .orElseThrow();
        var everyRow =
            new SessionListener() {
              @Override
              public Set<String> nodes() {
                return Set.of(up.key());
              }

              @Override
              public void onNode(NodeValues values) {
                float[] all =
                    values
                        .values()
                        .asSlice(0, 4L * values.rows() * values.width())
                        .toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
                for (int i = 0; i < all.length; i++) {
                  all[i] *= 1.25f;
                }
                values.replace(MemorySegment.ofArray(all));
              }
            };
        try (var _ = wrong.listen(everyRow)) {
          Unexplained first = rounding(comparison, model).first();
          assertThat(first).isNotNull();
          assertThat(first.place()).isEqualTo(up.place());
          assertThat(first.side())
              .isEqualTo(reference ? Unexplained.Side.REFERENCE : Unexplained.Side.MODEL);
        }
      }
    }
  }
}
