package org.modeltracer.session;

import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.TensorObserver;

/**
 * A pass that was just traced and can be run again, to be watched more closely.
 *
 * <p>Running it again takes its tokens out of the KV cache and decodes the same batch: what the
 * cache holds, what the session knows of it and the logits are afterwards what they were. Nothing
 * of it is recorded. Valid only during the call that handed it over, on the native thread.
 */
public interface Replay extends RunningPass {
  /** Index of the pass. */
  int forward();

  /** The context that runs it. */
  LlamaContext context();

  /**
   * Tokens from position 0 to the end of the pass; empty when the session does not know them, as
   * with several sequences, and where they are not all that the pass depends on, as in a model of
   * an encoder and a decoder.
   */
  int[] history();

  /**
   * Decodes the batch again under an observer.
   *
   * @return false when the model's memory cannot be taken back to where it was before the pass
   * @throws LlamaException when llama.cpp fails, or the pass is cancelled
   */
  boolean run(TensorObserver watch);
}
