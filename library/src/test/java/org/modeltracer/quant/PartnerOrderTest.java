package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.Engine;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.ModelOptions.Placement;
import org.modeltracer.process.Pipes;

/** The other process opens the model as it was asked to. */
class PartnerOrderTest {
  private static final Engine ENGINE =
      new Engine(Path.of("/lib x"), new Placement(4, List.of("cpu"), List.of("a:1"), true));

  @Test
  void aSetupArrivesWhole() throws IOException {
    var context =
        ContextOptions.defaults()
            .withContextTokens(96)
            .withBatch(32, 16)
            .withThreads(3)
            .withFlashAttention(FlashAttention.OFF)
            .withCacheTypes(CacheType.Q8_0, CacheType.F32)
            .withFullWindowCache(true);
    for (Setup setup :
        new Setup[] {
          Setup.of(Path.of("a", "é.gguf")), new Setup(Path.of("b.gguf"), ENGINE, context)
        }) {
      try (var pipes = new Pipes<>(PartnerOrder.class, PartnerMessage.class)) {
        pipes.parent().send(new PartnerOrder.Open(setup));
        assertThat(pipes.child().next())
            .isInstanceOfSatisfying(
                PartnerOrder.Open.class, open -> assertThat(open.setup()).isEqualTo(setup));
      }
    }
  }
}
