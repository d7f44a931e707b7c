package org.modeltracer.session;

import org.modeltracer.llama.LlamaException;

/**
 * What a session does with what its cache holds, when a new prompt comes and when it is full.
 *
 * <p>Beyond a common beginning, what is moved to another position was computed in sight of other
 * tokens: what follows is close to what a fresh computation gives, not the same.
 *
 * @param reusePrefix whether a new prompt reuses the beginning that the cache already holds of it
 * @param reuseChunk fewest tokens, found elsewhere in the cache, that are moved into place for a
 *     new prompt, as llama-server's {@code --cache-reuse}; 0 for none
 * @param shift whether a full context drops half of its tokens and goes on, as llama-server's
 *     {@code --context-shift}
 * @param keep tokens of the prompt that a shift spares, after the one that begins every text; -1
 *     for all
 */
public record CachePolicy(boolean reusePrefix, int reuseChunk, boolean shift, int keep) {
  /** Refuses numbers that mean nothing. */
  public CachePolicy {
    require("tokens of a reused chunk", reuseChunk, 0);
    require("tokens to keep", keep, -1);
  }

  private static void require(String what, int value, int least) {
    if (value < least) {
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT, what + " must be at least " + least + ", not " + value);
    }
  }

  /** Common beginnings are reused; a full context ends a generation. */
  public static CachePolicy defaults() {
    return new CachePolicy(true, 0, false, 0);
  }

  /** The same with common beginnings reused, or every prompt computed afresh. */
  public CachePolicy withReusePrefix(boolean reuse) {
    return new CachePolicy(reuse, reuseChunk, shift, keep);
  }

  /** The same with chunks of at least so many tokens moved into place; 0 for none. */
  public CachePolicy withReuseChunk(int tokens) {
    return new CachePolicy(reusePrefix, tokens, shift, keep);
  }

  /** The same with a full context shifted, but for so many first tokens; -1 for the prompt. */
  public CachePolicy withShift(int keptTokens) {
    return new CachePolicy(reusePrefix, reuseChunk, true, keptTokens);
  }

  /** Whether positions have to be movable for this. */
  public boolean moves() {
    return shift || reuseChunk > 0;
  }
}
