package org.modeltracer.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.diagnose.BrokenModel;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.model.BlockPart;

class WeightScanTest {
  @TempDir Path folder;

  private static WeightScan.Result scan(Path file) {
    return WeightScan.scan(
        GgufFile.read(file), LlamaRuntime.load(), Thresholds.defaults(), 2, (done, all) -> {});
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "rand-gemma2-f32",
        "rand-gpt2-f32",
        "rand-mixtral-f32",
        "rand-qwen2-f32",
        "tinyllama-gqa-Q2_K",
        "tinyllama-gqa-Q4_K_M",
        "tinyllama-gqa-Q8_0",
        "tinyllama-gqa-f16",
        "tinyllama-mha-Q4_0",
        "tinyllama-mha-Q8_0",
        "tinyllama-mha-f16",
        "tinyllama-mha-f32"
      })
  void healthyModelsHaveNoFindings(String model) {
    WeightScan.Result result = scan(Path.of("models", model + ".gguf"));
    assertThat(result.findings()).filteredOn(f -> f.kind().severity() != Severity.INFO).isEmpty();
    assertThat(result.unread()).isEmpty();
    assertThat(result.tensors()).isPositive();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          f01_nan_ffn_down_l2          | blk.2.ffn_down.weight  | NAN          | 1     | 101,37 |   |
          f03_overflow_attn_norm_l3    | blk.3.attn_norm.weight | ABSURD_SCALE | 128   |        |   |
          f04_nan_token_embd_row       | token_embd.weight      | NAN          | 128   | 0,312  |   |
          f06_q8_nan_scale_attn_v_l0   | blk.0.attn_v.weight    | NAN          | 32    | 64,9   | 2 | SCALE
          f07_zero_q_l1                | blk.1.attn_q.weight    | ZERO_TENSOR  | 16384 |        |   |
          f13_nan_unused_embd_row      | token_embd.weight      | NAN          | 128   | 0,49   |   |
          f14_k_overflows_f16_cache_l2 | blk.2.attn_k.weight    | ABSURD_SCALE | 16384 |        |   |
          """)
  void findsTheFaultsOfTheSharedSet(
      String id,
      String tensor,
      WeightFault kind,
      long count,
      String index,
      Long block,
      BlockPart part) {
    List<Long> first =
        index == null
            ? null
            : List.of(index.split(",")).stream().map(String::strip).map(Long::valueOf).toList();
    assertThat(scan(BrokenModel.fault(id, folder)).findings())
        .extracting(
            WeightFinding::tensor,
            WeightFinding::kind,
            WeightFinding::count,
            WeightFinding::firstIndex,
            WeightFinding::block,
            WeightFinding::blockPart)
        .containsExactly(tuple(tensor, kind, count, first, block, part));
  }

  @Test
  void findsDeadExpertsAndZeroRows() {
    String experts = "blk.0.ffn_up_exps.weight";
    String rows = "blk.1.attn_output.weight";
    BrokenModel model = BrokenModel.of("rand-mixtral-f32.gguf");
    TensorInfo up = model.tensor(experts);
    long expert = 4 * up.dimension(0) * up.dimension(1);
    long row = 4 * model.tensor(rows).dimension(0);
    model.zero(experts, expert, 2 * expert).zero(rows, 5 * row, 3 * row);
    assertThat(scan(model.write(folder, "zero")).findings())
        .extracting(
            WeightFinding::tensor,
            WeightFinding::kind,
            WeightFinding::count,
            WeightFinding::firstIndex)
        .containsExactlyInAnyOrder(
            tuple(experts, WeightFault.DEAD_EXPERT, 2L, List.of(1L)),
            tuple(rows, WeightFault.ZERO_ROWS, 3L, List.of(5L)));
  }

  @Test
  void findsAWholeTensorTooSmall() {
    String name = "blk.2.ffn_up.weight";
    Path file = BrokenModel.of("tinyllama-mha-f32.gguf").scale(name, 1e-6f).write(folder, "small");
    assertThat(scan(file).findings())
        .extracting(WeightFinding::tensor, WeightFinding::kind)
        .containsExactly(tuple(name, WeightFault.ABSURD_SCALE));
  }

  @Test
  void progressEndsAtAllBytes() {
    GgufFile gguf = GgufFile.read(Path.of("models", "tinyllama-gqa-Q4_K_M.gguf"));
    List<Long> done = new ArrayList<>();
    WeightScan.scan(
        gguf, LlamaRuntime.load(), Thresholds.defaults(), 2, (now, all) -> done.add(now));
    long bytes = gguf.tensors().stream().mapToLong(TensorInfo::bytes).sum();
    assertThat(done).isSorted().endsWith(bytes);
  }
}
