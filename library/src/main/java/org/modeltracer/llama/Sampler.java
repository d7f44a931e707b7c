package org.modeltracer.llama;

import java.lang.invoke.MethodHandle;

/** llama.cpp's own sampler chain: top-k, top-p, temperature, seeded choice; or greedy. */
public final class Sampler implements AutoCloseable {
  private static final long AT_LEAST_ONE = 1;
  private static final int NO_TIMINGS = 1;

  private final LlamaRuntime runtime;
  private final MethodHandle sample;
  private long chain;

  /** A chain of that runtime. */
  public Sampler(LlamaRuntime runtime, SamplerOptions options) {
    this.runtime = runtime;
    NativeLibrary library = runtime.library();
    sample = library.function("llama_sampler_sample", "ppi:i");
    runtime.call(
        () -> {
          try {
            // Its parameter struct is a single bool, which travels in a register like an int.
            chain =
                (long) library.function("llama_sampler_chain_init", "i:p").invokeExact(NO_TIMINGS);
            if (options.isGreedy()) {
              add((long) library.function("llama_sampler_init_greedy", ":p").invokeExact());
              return null;
            }
            if (options.topK() > 0) {
              add(
                  (long)
                      library
                          .function("llama_sampler_init_top_k", "i:p")
                          .invokeExact(options.topK()));
            }
            if (options.topP() < 1) {
              add(
                  (long)
                      library
                          .function("llama_sampler_init_top_p", "fl:p")
                          .invokeExact(options.topP(), AT_LEAST_ONE));
            }
            add(
                (long)
                    library
                        .function("llama_sampler_init_temp", "f:p")
                        .invokeExact(options.temperature()));
            add(
                (long)
                    library.function("llama_sampler_init_dist", "i:p").invokeExact(options.seed()));
            return null;
          } catch (Throwable failure) {
            throw NativeLibrary.unexpected(failure);
          }
        });
  }

  private void add(long sampler) throws Throwable {
    runtime.library().function("llama_sampler_chain_add", "pp:v").invokeExact(chain, sampler);
  }

  /** Chooses a token from the logits of the batch's i-th token. */
  public int sample(LlamaContext context, int i) {
    context.logits(i);
    return runtime.call(
        () -> {
          if (chain == 0) {
            throw new IllegalStateException("this sampler is closed");
          }
          try {
            return (int) sample.invokeExact(chain, context.address(), i);
          } catch (Throwable failure) {
            throw NativeLibrary.unexpected(failure);
          }
        });
  }

  /** Frees the chain. */
  @Override
  public void close() {
    runtime.call(
        () -> {
          if (chain == 0) {
            return null;
          }
          try {
            runtime.library().function("llama_sampler_free", "p:v").invokeExact(chain);
            chain = 0;
            return null;
          } catch (Throwable failure) {
            throw NativeLibrary.unexpected(failure);
          }
        });
  }
}
