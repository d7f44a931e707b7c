package org.modeltracer.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.llama.TensorType;
import org.modeltracer.testing.ModelsAtHand;
import org.modeltracer.testing.TinyModels;

/**
 * Another last token changes the last token's numbers only: wherever a node of a causal model
 * changes, its axis must say so. Batches are as long as experts, heads, or whatever else there are.
 */
class TokenAxisTest {
  private static final LlamaRuntime RUNTIME = LlamaRuntime.load();

  @TempDir static Path folder;

  @TestFactory
  Stream<DynamicTest> theAxisCountsTokens() throws Exception {
    return ModelsAtHand.in(folder).entrySet().stream()
        .flatMap(e -> tests(e.getKey(), e.getValue()));
  }

  /** Scores without a cache are {@code [key, query, head]}: queries are the slower of two. */
  @Test
  void rowsOfScoresAreQueries() throws Exception {
    try (LlamaModel model = RUNTIME.open(TinyModels.of("bert").write(folder));
        LlamaContext context =
            model.context(ContextOptions.defaults().withFlashAttention(FlashAttention.OFF))) {
      ModelSurvey survey = ModelSurvey.of(context);
      assertThat(survey.prompt().graph().nodes())
          .filteredOn(node -> node.is(Op.SOFT_MAX))
          .isNotEmpty()
          .allSatisfy(node -> assertThat(survey.axes().get(node).dimension()).isEqualTo(1));
    }
  }

  /** One sequence, and two whose tokens share cells or have streams of their own. */
  private static Stream<DynamicTest> tests(String name, Path file) {
    var options = ContextOptions.defaults().withContextTokens(512);
    return Stream.of(FlashAttention.OFF, FlashAttention.ON)
        .map(options::withFlashAttention)
        .flatMap(o -> Stream.of(o, o.withSequences(2, true), o.withSequences(2, false)))
        .map(o -> dynamicTest(name + " " + o, () -> check(file, o)));
  }

  private static void check(Path file, ContextOptions options) {
    assertThat(file).matches(Files::exists);
    try (LlamaModel model = RUNTIME.open(file)) {
      if (model.hasEncoder()) {
        return;
      }
      try (LlamaContext context = model.context(options)) {
        ModelSurvey survey = ModelSurvey.of(context);
        int judged = 0;
        for (int tokens : ModelsAtHand.lengths(file)) {
          judged += compare(context, survey, tokens);
        }
        assertThat(judged).isGreaterThan(survey.seesAhead() ? 5 : 20);
      }
    }
  }

  /** Compares two passes that differ in their last token; returns how many nodes were judged. */
  private static int compare(LlamaContext context, ModelSurvey survey, int length) {
    int tokens = length * context.options().sequences().count();
    var random = new Random(tokens);
    int vocabulary = context.model().vocabulary().size();
    int[] ids = random.ints(tokens, 1, Math.min(90, vocabulary)).toArray();
    List<Seen> before = run(context, ids);
    ids[tokens - 1] = 1 + ids[tokens - 1] % (Math.min(90, vocabulary) - 1);
    List<Seen> after = run(context, ids);
    assertThat(after).hasSameSizeAs(before);
    NodeTable<TokenAxis> axes = survey.axes();
    int judged = 0;
    for (int i = 0; i < before.size(); i++) {
      GraphNode node = before.get(i).node;
      if (survey.seesAhead() && (node.is(Op.SOFT_MAX) || node.is(Op.FLASH_ATTN_EXT))) {
        break;
      }
      TokenAxis axis = axes.get(node);
      if (axis == null || beforeTheMask(node)) {
        continue;
      }
      Tensor shape = before.get(i).tensor;
      if (!axis.states()) {
        assertThat(axis.rows(shape)).as("%s, %s tokens", node, tokens).isEqualTo(tokens);
      }
      float[] a = before.get(i).values;
      float[] b = after.get(i).values;
      judged++;
      for (int e = 0; e < a.length; e++) {
        boolean ofToken = !axis.states() || axis.row(shape, e) < tokens;
        if (ofToken && Float.floatToIntBits(a[e]) != Float.floatToIntBits(b[e])) {
          assertThat(axis.row(shape, e))
              .as("%s %s, element %s, %s tokens: %s", node, node.ne(), e, tokens, axis)
              .isEqualTo(tokens - 1);
        }
      }
    }
    return judged;
  }

  /** Products with keys know later tokens until a mask hides them. */
  private static boolean beforeTheMask(GraphNode node) {
    GraphNode n = node;
    while (!n.isLeaf() && !n.sources().isEmpty()) {
      if (n.is(Op.SOFT_MAX) || n.is(Op.FLASH_ATTN_EXT)) {
        return false;
      }
      if (n.is(Op.MUL_MAT)) {
        boolean product =
            !n.sources().get(0).origin().isWeight()
                && !n.sources().get(1).origin().isWeight()
                && !n.sources().get(1).origin().is(Op.SOFT_MAX);
        if (product) {
          return true;
        }
        return n.sources().get(0).origin().isWeight() && beforeTheMask(n.sources().get(1));
      }
      n = n.sources().getFirst();
    }
    return false;
  }

  /** A node with its values as they were computed. */
  private record Seen(GraphNode node, Tensor tensor, float[] values) {}

  private static List<Seen> run(LlamaContext context, int[] ids) {
    if (context.cache().exists()) {
      context.cache().clear();
    }
    Batch batch = context.batch().clear();
    int length = ids.length / context.options().sequences().count();
    for (int i = 0; i < ids.length; i++) {
      batch.add(ids[i], i % length, i / length, true);
    }
    var seen = new ArrayList<Seen>();
    var recorder = new GraphRecorder(RUNTIME);
    try (var data = new TensorData(RUNTIME, false)) {
      context.observe(
          new TensorObserver() {
            private GraphNode node;

            @Override
            public boolean wants(Tensor t) {
              node = recorder.record(t);
              return t.type() == TensorType.F32 && t.isContiguous() && t.elements() > 0;
            }

            @Override
            public void observe(Tensor t) {
              float[] values = new float[Math.toIntExact(t.elements())];
              data.open(t)
                  .asSlice(0, 4L * values.length)
                  .asByteBuffer()
                  .order(ByteOrder.nativeOrder())
                  .asFloatBuffer()
                  .get(values);
              seen.add(new Seen(node, t.copy(), values));
            }
          });
      context.decode(batch);
    } finally {
      context.observe(null);
    }
    assertThat(seen).isNotEmpty();
    return seen;
  }
}
