package org.modeltracer.llama;

import org.modeltracer.llama.ffi.LlamaFunctions;

/** llama.cpp's own sampler chain: top-k, top-p, temperature, seeded choice; or greedy. */
public final class Sampler implements AutoCloseable {
  private final LlamaRuntime runtime;
  private final LlamaFunctions llama;
  private long chain;

  /** A chain of that runtime. */
  public Sampler(LlamaRuntime runtime, SamplerOptions options) {
    this.runtime = runtime;
    llama = runtime.functions();
    runtime.run(
        () -> {
          chain = llama.samplerChain();
          fill(options);
        });
  }

  private void fill(SamplerOptions options) {
    if (options.isGreedy()) {
      llama.addSampler(chain, llama.greedySampler());
      return;
    }
    if (options.topK() > 0) {
      llama.addSampler(chain, llama.topKSampler(options.topK()));
    }
    if (options.topP() < 1) {
      llama.addSampler(chain, llama.topPSampler(options.topP()));
    }
    llama.addSampler(chain, llama.temperatureSampler(options.temperature()));
    llama.addSampler(chain, llama.seededSampler(options.seed()));
  }

  /** Chooses a token from the logits of the batch's i-th token. */
  public int sample(LlamaContext context, int i) {
    context.logits(i);
    return runtime.call(
        () -> {
          if (chain == 0) {
            throw new IllegalStateException("this sampler is closed");
          }
          return llama.sample(chain, context.address(), i);
        });
  }

  /** Frees the chain. */
  @Override
  public void close() {
    runtime.run(
        () -> {
          if (chain != 0) {
            llama.freeSampler(chain);
            chain = 0;
          }
        });
  }
}
