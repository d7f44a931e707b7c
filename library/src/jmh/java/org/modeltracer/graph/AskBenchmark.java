package org.modeltracer.graph;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.probe.WatchList;
import org.modeltracer.probe.WatchTable;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.trace.TracerConfig;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What it costs to be asked about one node of the graph, which happens to every node of every pass.
 *
 * <p>The nodes are those of a real graph, asked about one by one in execution order. The upcall
 * itself and the few nodes whose inputs are read (tokens, positions, cells) are not part of it.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class AskBenchmark {
  private static final Path MODEL = Path.of("models", "tinyllama-mha-f32.gguf");

  private final LlamaRuntime runtime = LlamaRuntime.load();
  private final LlamaModel model = runtime.open(MODEL);
  private final LlamaContext context = model.context(ContextOptions.defaults());
  private final NodeIdentity identity = new NodeIdentity(runtime);
  private final WatchTable table = new WatchTable();
  private final Tensor window = new Tensor(runtime);
  private long[] nodes = {};
  private int next;

  /** Runs one token and remembers its graph, which stays in memory until the next pass. */
  @Setup
  public void record() {
    runtime.call(
        () -> {
          TracerConfig config = TracerConfig.full();
          for (SiteMap map : ModelSurvey.of(context).maps()) {
            new WatchList(map, SessionOptions.defaults().sites(config), config).fill(table);
          }
          var seen = new Addresses();
          context.observe(seen);
          Batch batch = context.batch().clear().add(3, 0, 0, true);
          context.decode(batch);
          context.observe(null);
          nodes = seen.all.stream().mapToLong(a -> a).toArray();
          return null;
        });
  }

  private static final class Addresses implements TensorObserver {
    private final List<Long> all = new ArrayList<>();

    @Override
    public boolean wants(Tensor node) {
      all.add(node.address());
      return false;
    }

    @Override
    public void observe(Tensor node) {}
  }

  /** Recognises the next node of the pass. */
  @Benchmark
  public @Nullable Object ask() {
    if (next == nodes.length) {
      next = 0;
      table.restart();
    }
    return table.next(identity.of(window.at(nodes[next++])));
  }

  /** Frees the model. */
  @TearDown
  public void close() {
    context.close();
    model.close();
  }
}
