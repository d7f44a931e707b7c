package org.modeltracer.diagnose;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Cause;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Sabotage;
import org.modeltracer.llama.Tensor;
import org.modeltracer.model.BlockPart;
import org.modeltracer.model.TensorState;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.trace.TracerConfig;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A fault for each class of causes that the shared set does not cover. */
class OwnFaultsTest {
  private static final SessionOptions PLAIN = Diagnosed.options(CacheType.F32, FlashAttention.OFF);
  private static LlamaRuntime runtime;

  @TempDir Path folder;

  @BeforeAll
  static void load() {
    runtime = LlamaRuntime.load();
  }

  private Diagnosed run(Path file) {
    return run(file, PLAIN);
  }

  private Diagnosed run(Path file, SessionOptions options) {
    return new Diagnosed(runtime, file, TracerConfig.lightweight(), options);
  }

  @Test
  void poisonedExpert() {
    int[] ids = Prompts.ids("short");
    int layer = 1;
    String name = "blk.1.ffn_down_exps.weight";
    JsonNode chosen;
    try (var healthy = run(Path.of("models", "rand-mixtral-f32.gguf")).prompt(ids)) {
      assertThat(healthy.critical()).isEmpty();
      chosen =
          JsonMapper.shared()
              .readTree(healthy.tracer.summaryToJson())
              .at("/activations/experts/" + layer + "/counts");
    }
    int expert = 2;
    BrokenModel model = BrokenModel.of("rand-mixtral-f32.gguf");
    TensorInfo tensor = model.tensor(name);
    long element = 7 + tensor.dimension(0) * (5 + tensor.dimension(1) * expert);
    Path file = model.set(name, element, Float.NaN).write(folder, "expert");
    try (var run = run(file).prompt(ids)) {
      RootCause cause = run.cause();
      assertThat(cause.cause()).isEqualTo(Cause.EXPERT);
      assertThat(cause.op()).isEqualTo("MUL_MAT_ID");
      assertThat(cause.layer()).isEqualTo(layer);
      assertThat(cause.weight()).isEqualTo(name);
      assertThat(cause.weightIndex()).containsExactly(7L, 5L, (long) expert);
      assertThat(cause.message())
          .contains(
              "expert 2 of 4, chosen for %d of %d tokens, is poisoned"
                  .formatted(chosen.get(expert).asInt(), ids.length));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "cache_k_l1, F32, OFF, kq-1, MUL_MAT",
    "cache_k_l1, F16, OFF, kq-1, MUL_MAT",
    "cache_v_l2, F32, OFF, kqv-2, MUL_MAT",
    "cache_k_l1, F16, ON, '', FLASH_ATTN_EXT",
    "cache_v_l2, F16, ON, '', FLASH_ATTN_EXT"
  })
  void poisonedCache(String cache, CacheType type, FlashAttention flash, String node, String op) {
    int[] ids = Prompts.ids("short");
    Path file = Path.of("models", "tinyllama-mha-f32.gguf");
    try (var run = run(file, Diagnosed.options(type, flash))) {
      run.prompt(Arrays.copyOf(ids, 10));
      run.promptThenSteps(10, Arrays.copyOf(ids, 12));
      assertThat(run.tracer.anomalies()).isEmpty();

      var sabotage = new Sabotage(runtime);
      Tensor tensor = sabotage.leaves(run.session.context(), 12).get(cache);
      // Cell 11 was written by the pass before the last; a transposed cache has cells side by side.
      int bytes = type == CacheType.F32 ? 4 : 2;
      boolean transposed = cache.startsWith("cache_v") && flash == FlashAttention.OFF;
      long value = transposed ? 3L * tensor.ne(1) + 11 : 11 * tensor.ne(0) + 3;
      byte[] nan = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN).array();
      nan[bytes - 1] = 0x7f;
      nan[bytes - 2] = (byte) 0xc0;
      sabotage.write(tensor.address(), value * bytes, nan);

      run.session.pass(batch -> batch.add(ids[12], 12, 0, true));
      RootCause cause = run.cause();
      assertThat(cause.cause()).isEqualTo(Cause.POISONED_KV);
      assertThat(cause.node()).contains(node);
      assertThat(cause.op()).isEqualTo(op);
      assertThat(cause.position()).isEqualTo(12);
      assertThat(cause.message())
          .contains("cell 11 of " + cache)
          .contains("position 11, written in forward pass 3");
      assertThat(run.diagnosis.replays()).isEqualTo(1);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "tinyllama-gqa-Q4_K_M.gguf, blk.1.ffn_up.weight, 2, MINIMUM, ffn_up-1, 256",
    "tinyllama-gqa-Q4_K_M.gguf, blk.1.ffn_up.weight, 0, SCALE, ffn_up-1, 256",
    "tinyllama-gqa-Q2_K.gguf, blk.2.ffn_gate.weight, 82, MINIMUM, ffn_gate-2, 256",
    "tinyllama-gqa-Q2_K.gguf, blk.2.ffn_gate.weight, 80, SCALE, ffn_gate-2, 256",
    "tinyllama-mha-Q4_0.gguf, blk.3.attn_q.weight, 0, SCALE, Qcur-3, 32"
  })
  void quantizedBlock(
      String base, String weight, int offset, BlockPart part, String node, int width) {
    BrokenModel model = BrokenModel.of(base);
    TensorInfo tensor = model.tensor(weight);
    long perRow = tensor.dimension(0) / width;
    long row = 21;
    long block = perRow - 1;
    Path file = model.nanInBlock(weight, row * perRow + block, offset).write(folder, "block");
    try (var run = run(file).prompt(Prompts.ids("short"))) {
      RootCause cause = run.cause();
      assertThat(tensor.type().blockSize()).isEqualTo(width);
      assertThat(cause.cause()).isEqualTo(Cause.BAD_WEIGHT);
      assertThat(cause.node()).isEqualTo(node);
      assertThat(cause.weight()).isEqualTo(weight);
      assertThat(cause.weightBlock()).isEqualTo(block);
      assertThat(cause.blockPart()).isEqualTo(part);
      assertThat(cause.weightIndex()).containsExactly(block * width, row);
      assertThat(cause.weightBadCount()).isEqualTo((long) width);
    }
  }

  /** Some kernels for packed weights multiply F16 by F32; the plain one turns both into F16. */
  @Test
  void f16OverflowInAProductWithAWeight() {
    String weight = "blk.1.attn_norm.weight";
    Path file = BrokenModel.of("tinyllama-mha-f16.gguf").scale(weight, 1e6f).write(folder, "f16");
    try (var run = new Diagnosed(runtime, file, TracerConfig.lightweight(), PLAIN, false)) {
      run.prompt(Prompts.ids("short"));
      RootCause cause = run.cause();
      assertThat(cause.cause()).isEqualTo(Cause.F16_OVERFLOW);
      assertThat(cause.op()).isEqualTo("MUL_MAT");
      assertThat(cause.layer()).isEqualTo(1);
      assertThat(cause.weight()).isEqualTo(weight);
      assertThat(cause.message()).contains("attn_norm-1 with max |x|");
    }
  }

  @ParameterizedTest
  @CsvSource({"OFF, kq-1, MUL_MAT", "ON, '', FLASH_ATTN_EXT"})
  void f16OverflowInAProductWithTheCache(FlashAttention flash, String node, String op) {
    String weight = "blk.1.attn_q.weight";
    Path file = BrokenModel.of("tinyllama-mha-f32.gguf").scale(weight, 1e6f).write(folder, "query");
    try (var run = run(file, Diagnosed.options(CacheType.F16, flash))) {
      run.prompt(Prompts.ids("short"));
      RootCause cause = run.cause();
      assertThat(cause.cause()).isEqualTo(Cause.F16_OVERFLOW);
      assertThat(cause.node()).contains(node);
      assertThat(cause.op()).isEqualTo(op);
      assertThat(cause.layer()).isEqualTo(1);
      assertThat(cause.weight()).isEqualTo(weight);
    }
  }

  /**
   * Every value fits F16, and so does every mean of them; their sum, before it is divided, does
   * not.
   */
  @Test
  void f16OverflowInsideFlashAttention() {
    String weight = "blk.1.attn_v.weight";
    Path file = BrokenModel.of("tinyllama-mha-f32.gguf").scale(weight, 4000).write(folder, "sums");
    int[] ids = new int[40];
    Arrays.fill(ids, Prompts.ids("short")[3]);
    try (var off = run(file, Diagnosed.options(CacheType.F16, FlashAttention.OFF)).prompt(ids)) {
      assertThat(off.critical()).isEmpty();
    }
    try (var run = run(file, Diagnosed.options(CacheType.F16, FlashAttention.ON)).prompt(ids)) {
      RootCause cause = run.cause();
      assertThat(cause.cause()).isEqualTo(Cause.F16_OVERFLOW);
      assertThat(cause.op()).isEqualTo("FLASH_ATTN_EXT");
      assertThat(cause.layer()).isEqualTo(1);
      assertThat(cause.weight()).isEqualTo(weight);
      assertThat(cause.message())
          .contains("flash attention sums", "without flash attention the pass is finite");
    }
  }

  @Test
  void zeroRotaryFactors() {
    String weight = "rope_factors_short.weight";
    Path base = Path.of("models", "archs", "phi3-dense-f16.gguf");
    Path file = new BrokenModel(base).zero(weight, 12, 8).write(folder, "factors");
    try (var run = run(file).prompt(1, 2, 3, 4)) {
      RootCause cause = run.cause();
      assertThat(cause.cause()).isEqualTo(Cause.BAD_WEIGHT);
      assertThat(cause.op()).isEqualTo("ROPE");
      assertThat(cause.weight()).isEqualTo(weight);
      assertThat(cause.message()).contains("2 of 16 values of rope_factors_short.weight are 0");
    }
  }

  @Test
  void blockSumOverflow() {
    String weight = "blk.1.attn_norm.weight";
    Path file = BrokenModel.of("tinyllama-mha-Q8_0.gguf").scale(weight, 1e9f).write(folder, "q8");
    try (var run = run(file).prompt(Prompts.ids("short"))) {
      RootCause cause = run.cause();
      assertThat(cause.cause()).isEqualTo(Cause.BLOCK_SUM_OVERFLOW);
      assertThat(cause.op()).isEqualTo("MUL_MAT");
      assertThat(cause.layer()).isEqualTo(1);
      assertThat(cause.weight()).isEqualTo(weight);
    }
  }

  @Test
  void explosionThatStaysFinite() {
    String weight = "blk.2.ffn_down.weight";
    Path file =
        BrokenModel.of("tinyllama-mha-f32.gguf").scale(weight, 1e10f).write(folder, "large");
    try (var run = run(file).prompt(Prompts.ids("short"))) {
      assertThat(run.critical()).isNotEmpty();
      assertThat(run.critical()).allMatch(a -> a.kind() == AnomalyKind.EXPLOSION);
      RootCause cause = run.cause();
      assertThat(cause.cause()).isEqualTo(Cause.BAD_WEIGHT);
      assertThat(cause.node()).isEqualTo("ffn_out-2");
      assertThat(cause.weight()).isEqualTo(weight);
    }
  }

  @Test
  void headroomIsAWarning() {
    Path file =
        BrokenModel.of("tinyllama-mha-f32.gguf")
            .scale("blk.1.attn_v.weight", 5000)
            .write(folder, "headroom");
    try (var run = run(file).prompt(Prompts.ids("short"))) {
      assertThat(run.tracer.anomalies())
          .filteredOn(a -> a.kind() == AnomalyKind.HEADROOM && a.severity() == Severity.WARNING)
          .anySatisfy(
              a -> {
                assertThat(a.tensor()).isEqualTo("kqv_out-1");
                double bits = Math.log(65504 / Math.max(-a.min(), a.max())) / Math.log(2);
                assertThat(bits).isLessThan(2);
                assertThat(a.message()).contains("%.2f bits".formatted(bits));
              });
      assertThat(run.critical()).isEmpty();
      assertThat(run.diagnosis.replays()).isZero();
    }
  }

  /** Memory that a backend packed for itself goes bad while the file is good. */
  @Test
  void backend() throws Exception {
    Path file = Path.of("models", "tinyllama-mha-Q4_0.gguf");
    String name = "blk.1.ffn_up.weight";
    TensorInfo info = GgufFile.read(file).tensor(name).orElseThrow();
    byte[] bytes =
        Arrays.copyOfRange(
            Files.readAllBytes(file), (int) info.offset(), (int) (info.offset() + info.bytes()));
    bytes[18 * 40] = 0;
    bytes[18 * 40 + 1] = 0x7e;
    try (var run = run(file)) {
      var sabotage = new Sabotage(runtime);
      Tensor tensor = sabotage.leaves(run.session.context(), 0).get(name);
      assumeThat(tensor.isHost()).as("weights are mapped, not packed").isFalse();
      sabotage.write(tensor.address(), 0, bytes);
      run.prompt(Prompts.ids("short"));
      RootCause cause = run.cause();
      assertThat(cause.cause()).isEqualTo(Cause.BACKEND_KERNEL);
      assertThat(cause.node()).isEqualTo("ffn_up-1");
      assertThat(cause.inputs())
          .containsExactlyInAnyOrder(
              new RootCause.Input(name, TensorState.FINITE),
              new RootCause.Input("ffn_norm-1", TensorState.FINITE));
    }
  }

  @Test
  void aReplayLeavesEverythingAsItWas() {
    String id = "f06_q8_nan_scale_attn_v_l0";
    Path file = BrokenModel.fault(id, folder);
    List<Integer> alone;
    List<Integer> explained;
    String kvAlone;
    String kvExplained;
    try (var run = run(file)) {
      run.diagnosis.close();
      alone = generate(run);
      kvAlone = kv(run);
    }
    try (var run = run(file)) {
      explained = generate(run);
      kvExplained = kv(run);
      assertThat(run.diagnosis.replays()).isEqualTo(1);
    }
    assertThat(explained).isEqualTo(alone).hasSizeGreaterThan(5);
    assertThat(kvExplained).isEqualTo(kvAlone);
  }

  private static List<Integer> generate(Diagnosed run) {
    return run.session.generate(Prompts.ids("short"), 20, t -> true).tokens().stream()
        .map(t -> t.id())
        .toList();
  }

  private static String kv(Diagnosed run) {
    JsonNode summary = JsonMapper.shared().readTree(run.tracer.summaryToJson());
    return summary.get("kv_cache").toString()
        + summary.get("total_forwards")
        + summary.get("total_evictions");
  }
}
