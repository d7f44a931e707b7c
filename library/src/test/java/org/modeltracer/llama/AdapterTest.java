package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.gguf.GgufBytes;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.llama.ModelOptions.Adapter;

/** A model with an adapter against the same model whose weights the adapter was added to. */
class AdapterTest {
  private static final String RUNTIMES = "org.modeltracer.llama.Runtimes#all";
  private static final Path MODEL = Path.of("models", Passes.MHA);
  private static final List<String> WEIGHTS =
      List.of("blk.0.attn_q.weight", "blk.1.ffn_down.weight", "blk.3.attn_output.weight");
  private static final int RANK = 4;
  private static final float ALPHA = 8;
  private static final int[] PROMPT = {0, 17, 42, 99, 7};

  @TempDir Path folder;

  private static float[] logits(LlamaRuntime runtime, Path file, List<Adapter> adapters) {
    ModelOptions options = ModelOptions.defaults().withAdapters(adapters);
    try (LlamaModel model = runtime.open(file, options);
        LlamaContext context = model.context(Passes.EXACT)) {
      return Passes.fresh(context, PROMPT);
    }
  }

  /** Writes the adapter, and the model with {@code scale} times its product added. */
  private Path merged(Path adapter, float scale) throws IOException {
    GgufFile model = GgufFile.read(MODEL);
    ByteBuffer weights = ByteBuffer.wrap(Files.readAllBytes(MODEL)).order(ByteOrder.LITTLE_ENDIAN);
    var random = new Random(3);
    var file =
        new GgufBytes()
            .text("general.architecture", "llama")
            .text("general.type", "adapter")
            .text("adapter.type", "lora")
            .pair("adapter.lora.alpha", 6, GgufBytes.u32(Float.floatToIntBits(ALPHA)));
    for (String name : WEIGHTS) {
      TensorInfo tensor = model.tensor(name).orElseThrow();
      file.tensor(name + ".lora_a", tensor.dimension(0), RANK);
      file.tensor(name + ".lora_b", RANK, tensor.dimension(1));
    }
    byte[] bytes = file.bytes();
    ByteBuffer data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int at = file.header().length;
    at += Math.floorMod(-at, 32);
    for (String name : WEIGHTS) {
      TensorInfo tensor = model.tensor(name).orElseThrow();
      int in = (int) tensor.dimension(0);
      int out = (int) tensor.dimension(1);
      float[] a = random(random, RANK * in);
      float[] b = random(random, out * RANK);
      for (float x : a) {
        data.putFloat(at, x);
        at += 4;
      }
      for (float x : b) {
        data.putFloat(at, x);
        at += 4;
      }
      for (int o = 0; o < out; o++) {
        for (int i = 0; i < in; i++) {
          double sum = 0;
          for (int r = 0; r < RANK; r++) {
            sum += (double) b[o * RANK + r] * a[r * in + i];
          }
          int place = (int) tensor.offset() + 4 * (o * in + i);
          weights.putFloat(place, (float) (weights.getFloat(place) + scale * ALPHA / RANK * sum));
        }
      }
    }
    Files.write(adapter, bytes);
    return Files.write(folder.resolve("merged-" + scale + ".gguf"), weights.array());
  }

  private static float[] random(Random random, int n) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = 0.05f * (float) random.nextGaussian();
    }
    return values;
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void isAddedTimesItsScale(LlamaRuntime runtime) throws IOException {
    Path adapter = folder.resolve("adapter.gguf");
    float[] plain = logits(runtime, MODEL, List.of());
    for (float scale : new float[] {1, -0.5f}) {
      float[] merged = logits(runtime, merged(adapter, scale), List.of());
      float[] added = logits(runtime, MODEL, List.of(new Adapter(adapter, scale)));
      assertThat(Passes.distance(added, merged)).isLessThan(1e-3);
      assertThat(Passes.distance(added, plain)).isGreaterThan(0.1);
    }
    assertThat(Passes.distance(logits(runtime, MODEL, List.of(new Adapter(adapter, 0))), plain))
        .isLessThan(1e-5);
    // Two halves are a whole.
    List<Adapter> halves = List.of(new Adapter(adapter, 0.5f), new Adapter(adapter, 0.5f));
    float[] whole = logits(runtime, MODEL, List.of(new Adapter(adapter, 1)));
    assertThat(Passes.distance(logits(runtime, MODEL, halves), whole)).isLessThan(1e-3);
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void whatIsNoneIsRefused(LlamaRuntime runtime) throws IOException {
    Path foreign =
        Files.write(
            folder.resolve("foreign.gguf"),
            new GgufBytes()
                .text("general.architecture", "llama")
                .text("general.type", "adapter")
                .text("adapter.type", "lora")
                .pair("adapter.lora.alpha", 6, GgufBytes.u32(Float.floatToIntBits(1)))
                .tensor("blk.0.attn_q.weight.lora_a", 64, 4)
                .tensor("blk.0.attn_q.weight.lora_b", 4, 64)
                .bytes());
    assertRefused(runtime, foreign, "foreign.gguf: ");
    assertRefused(runtime, MODEL, "is a language model, not a LoRA adapter");
    assertRefused(runtime, folder.resolve("none"), "no such file");
    assertRefused(runtime, Files.writeString(folder.resolve("x"), "GGUFnot"), "x");
  }

  private static void assertRefused(LlamaRuntime runtime, Path adapter, String words) {
    assertThatThrownBy(() -> logits(runtime, MODEL, List.of(new Adapter(adapter, 1))))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining(words)
        .extracting(e -> ((LlamaException) e).kind())
        .isEqualTo(LlamaException.Kind.MODEL);
  }
}
