package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Predicate;
import org.modeltracer.llama.ffi.Linked;
import org.modeltracer.llama.ffi.NativeLibrary;

/** Does to a running model what broken memory or a broken kernel would. */
public final class Sabotage {
  private final LlamaRuntime runtime;

  /** Sabotage of a runtime's models. */
  public Sabotage(LlamaRuntime runtime) {
    this.runtime = runtime;
  }

  /** Overwrites bytes of a tensor, wherever its backend keeps them. */
  public void write(long tensor, long offset, byte[] bytes) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment source = arena.allocate(bytes.length, 64);
      MemorySegment.copy(bytes, 0, source, ValueLayout.JAVA_BYTE, 0, bytes.length);
      runtime.call(
          () -> {
            try {
              Linked.function(runtime.library(), "ggml_backend_tensor_set", "ppll:v")
                  .invokeExact(tensor, source.address(), offset, (long) bytes.length);
              return null;
            } catch (Throwable failure) {
              throw NativeLibrary.unexpected(failure);
            }
          });
    }
  }

  /** Leaves of a context's graph by name: weights and caches; runs a token and forgets it again. */
  public Map<String, Tensor> leaves(LlamaContext context, int position) {
    var leaves = new HashMap<String, Tensor>();
    context.observe(
        new Collector(
            t -> {
              for (int i = 0; i < 10; i++) {
                long source = t.source(i);
                if (source != 0) {
                  Tensor s = new Tensor(runtime).at(source);
                  Tensor root = s.viewSource() == 0 ? s : new Tensor(runtime).at(s.viewSource());
                  if (root.op() == Op.NONE) {
                    leaves.put(root.name(), root);
                  }
                }
              }
              return false;
            }));
    Batch batch = context.batch().clear().add(1, position, 0, true);
    context.decode(batch);
    context.observe(null);
    context.cache().remove(0, position, KvCache.END);
    return leaves;
  }

  private record Collector(Predicate<Tensor> each) implements TensorObserver {
    @Override
    public boolean wants(Tensor node) {
      return each.test(node);
    }

    @Override
    public void observe(Tensor node) {}
  }
}
