package org.modeltracer.diagnose;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.Cause;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.testing.TinyModels;
import org.modeltracer.trace.TracerConfig;

/** One NaN in an encoder, in what a decoder makes of it, and in the decoder alone. */
class EncoderFaultsTest {
  private static final int[] IDS = new Random(9).ints(14, 0, 96).toArray();

  @TempDir Path folder;

  /** The weight, the layer it is told in, and the pass that shows it first. */
  @ParameterizedTest
  @CsvSource({
    "enc.blk.0.attn_o.weight, 2, 0",
    "enc.blk.1.ffn_down.weight, 3, 0",
    "dec.blk.1.cross_attn_o.weight, 1, 1",
    "dec.blk.1.ffn_down.weight, 1, 1",
  })
  void aNanIsTracedToItsTensor(String weight, int layer, int forward) {
    for (Path library : Runtimes.libraries()) {
      LlamaRuntime runtime = LlamaRuntime.load(library);
      for (FlashAttention flash : new FlashAttention[] {FlashAttention.OFF, FlashAttention.ON}) {
        Path file =
            new BrokenModel(TinyModels.of("t5").write(folder))
                .set(weight, 3 * 128 + 5, Float.NaN)
                .write(folder, "broken");
        var options = Diagnosed.options(CacheType.F16, flash);
        try (var run = new Diagnosed(runtime, file, TracerConfig.full(), options)) {
          run.prompt(IDS);
          Anomaly first = run.critical().getFirst();
          assertThat(first.layer()).isEqualTo(layer);
          assertThat(first.forward()).isEqualTo(forward);
          RootCause cause = first.rootCause();
          assertThat(cause).isNotNull();
          assertThat(cause.cause()).as("%s", cause).isEqualTo(Cause.BAD_WEIGHT);
          assertThat(cause.weight()).isEqualTo(weight);
          assertThat(cause.layer()).isEqualTo(layer);
        }
      }
    }
  }
}
