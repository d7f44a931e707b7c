package org.modeltracer.diagnose;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.modeltracer.anomaly.Cause;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.ModelSurvey;
import org.modeltracer.graph.NodeTable;
import org.modeltracer.graph.TokenAxis;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Sabotage;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.model.TensorState;
import org.modeltracer.session.RunningPass;
import org.modeltracer.weights.WeightPeers;
import org.modeltracer.weights.Weights;

/** Causes that no file can have, made by changing tensors while a pass runs. */
class ExplanationTest {
  private static final int TOKENS = 12;
  private static final Path FILE = Path.of("models", "tinyllama-mha-f32.gguf");
  private static final LlamaRuntime RUNTIME = LlamaRuntime.load();

  private final Sabotage sabotage = new Sabotage(RUNTIME);
  private final Weights weights = new Weights(GgufFile.read(FILE), RUNTIME);
  private LlamaModel model;
  private LlamaContext context;

  @BeforeEach
  void open() {
    model = RUNTIME.open(FILE);
    context = model.context(Diagnosed.options(CacheType.F32, FlashAttention.OFF).context());
  }

  @AfterEach
  void close() {
    model.close();
    weights.close();
  }

  @Test
  void aFullyMaskedRow() {
    int query = 7;
    RootCause cause =
        explain(
            node -> {
              if (node.op() == Op.SOFT_MAX) {
                Tensor mask = new Tensor(RUNTIME).at(node.source(1));
                byte[] row = new byte[(int) (4 * mask.ne(0))];
                ByteBuffer floats = ByteBuffer.wrap(row).order(ByteOrder.LITTLE_ENDIAN);
                while (floats.hasRemaining()) {
                  floats.putFloat(Float.NEGATIVE_INFINITY);
                }
                sabotage.write(mask.address(), query * mask.nb(1), row);
              }
            },
            pass -> false,
            Optional.empty());
    assertThat(cause.cause()).isEqualTo(Cause.MASKED_ROW);
    assertThat(cause.node()).isEqualTo("kq_soft_max-0");
    assertThat(cause.position()).isEqualTo(query);
    assertThat(cause.inputs())
        .contains(new RootCause.Input("kq-0", TensorState.FINITE))
        .contains(new RootCause.Input("attn_inp_kq_mask", TensorState.MASKED));
  }

  @Test
  void aCellThatABadPassWrote() {
    assertThat(poisoned(pass -> pass == 0).cause()).isEqualTo(Cause.PROPAGATED);
    assertThat(poisoned(pass -> pass == 1).cause()).isEqualTo(Cause.POISONED_KV);
  }

  private RootCause poisoned(IntPredicate earlier) {
    context.cache().clear();
    return explain(
        node -> {
          if (node.name().equals("kq-1")) {
            Tensor keys = new Tensor(RUNTIME).at(node.source(0));
            Tensor cache = new Tensor(RUNTIME).at(keys.viewSource());
            sabotage.write(cache.address(), 4 * cache.nb(1), new byte[] {0, 0, (byte) 0xc0, 0x7f});
          }
        },
        earlier,
        Optional.empty());
  }

  @Test
  void whatTheCpuDoesNotShowIsTheBackend() {
    assertThat(broken(Optional.of(true)).cause()).isEqualTo(Cause.BACKEND_KERNEL);
    assertThat(broken(Optional.of(false)).cause()).isEqualTo(Cause.UNKNOWN);
    RootCause unknown = broken(Optional.empty());
    assertThat(unknown.cause()).isEqualTo(Cause.UNKNOWN);
    assertThat(unknown.node()).isEqualTo("ffn_up-2");
    assertThat(unknown.layer()).isEqualTo(2);
  }

  /** The memory of a weight changes under the pass; the file stays as it was. */
  private RootCause broken(Optional<Boolean> opinion) {
    context.cache().clear();
    Changed changed = new Changed();
    return explain(
        node -> {
          if (node.name().equals("ffn_norm-2") && node.op() == Op.MUL) {
            changed.norm = node.address();
          } else if (node.name().equals("ffn_up-2")) {
            // Written after it was judged: the watch knows it as finite.
            sabotage.write(changed.norm, 0, new byte[] {0, 0, (byte) 0xc0, 0x7f});
          }
        },
        pass -> false,
        opinion);
  }

  private static final class Changed {
    long norm;
  }

  private interface Change {
    void before(Tensor node);
  }

  private RootCause explain(Change change, IntPredicate earlier, Optional<Boolean> opinion) {
    var axes = ModelSurvey.of(context).axes();
    Batch batch = context.batch().clear();
    int[] ids = Prompts.ids("short");
    for (int i = 0; i < TOKENS; i++) {
      batch.add(ids[i], i, 0, true);
    }
    try (var watch = new NodeWatch(RUNTIME, new OneBatch(axes), 1e6)) {
      context.observe(new Saboteur(change, watch));
      context.decode(batch);
      context.observe(null);
      BadNode bad = watch.bad();
      assertThat(bad).isNotNull();
      var peers = new WeightPeers(weights, Thresholds.defaults());
      return new Explanation(weights, peers, watch.graph(), () -> opinion)
          .of(bad, earlier, List.of());
    }
  }

  private record Saboteur(Change change, TensorObserver watch) implements TensorObserver {
    @Override
    public boolean wants(Tensor node) {
      change.before(node);
      return watch.wants(node);
    }

    @Override
    public void observe(Tensor node) {
      watch.observe(node);
    }
  }

  /** Twelve tokens in order, in cells of the same numbers, written by pass 0. */
  private record OneBatch(NodeTable<TokenAxis> axes) implements RunningPass {
    @Override
    public long graph() {
      return 1;
    }

    @Override
    public int firstLayer() {
      return 0;
    }

    @Override
    public @Nullable TokenAxis axis(GraphNode node) {
      return axes.get(node);
    }

    @Override
    public boolean computes(Tensor node) {
      return node.elements() > 0;
    }

    @Override
    public int tokensOfGraph() {
      return TOKENS;
    }

    @Override
    public int position(long row, boolean ofOutputs) {
      return (int) row;
    }

    @Override
    public Cell cell(int layer, int cell) {
      return cell < TOKENS ? new Cell(cell, 0) : null;
    }
  }
}
