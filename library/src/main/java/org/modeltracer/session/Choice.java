package org.modeltracer.session;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.Sampler;
import org.modeltracer.llama.SamplerOptions;

/** Chooses the next token, also from scores that llama.cpp's sampler cannot be trusted with. */
final class Choice implements AutoCloseable {
  private final Sampler sampler;

  /** A choice among the tokens of a context's model. */
  Choice(LlamaContext context, SamplerOptions options) {
    SamplerOptions.Penalties penalties = options.penalties().within(context.sequenceTokens());
    sampler = new Sampler(context.model(), options.withPenalties(penalties));
  }

  /** Begins a text after a prompt. */
  void begin(int[] prompt) {
    sampler.begin(prompt);
  }

  /** Chooses by the scores of the batch's i-th token; {@link Sampler#NONE} where a grammar ends. */
  int choose(LlamaContext context, int i) {
    MemorySegment logits = context.logits(i);
    int best = 0;
    float highest = Float.NEGATIVE_INFINITY;
    boolean finite = true;
    int n = (int) (logits.byteSize() / 4);
    for (int t = 0; t < n; t++) {
      float x = logits.getAtIndex(ValueLayout.JAVA_FLOAT, t);
      if (x - x != 0) {
        finite = false;
      } else if (x > highest) {
        highest = x;
        best = t;
      }
    }
    // Sorting NaN is undefined in C++ and can read out of bounds: choose the best finite score,
    // whatever a grammar says.
    return finite ? sampler.sample(context, i) : best;
  }

  @Override
  public void close() {
    sampler.close();
  }
}
