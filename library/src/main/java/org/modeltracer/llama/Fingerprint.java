package org.modeltracer.llama;

import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * Where the fields that matter lie in {@code llama_context_params}, read off the default values.
 *
 * <p>Independent of any table: the eval callback is two null pointers followed by two cache types
 * F16 and preceded by a defragmentation threshold of -1; the thread counts are the first pair of
 * fours; the enums before the RoPE numbers are a run of -1, one longer where flash attention is
 * among them.
 *
 * @param threads offset of {@code n_threads}
 * @param evalCallback offset of {@code cb_eval}
 * @param flashAttention offset of {@code flash_attn_type}, absent where it is a bool elsewhere
 */
record Fingerprint(int threads, int evalCallback, Optional<Integer> flashAttention) {
  private static final int ENUMS = 3;

  /**
   * Reads the fingerprint off the defaults.
   *
   * @throws LlamaException naming what was not found
   */
  static Fingerprint of(Defaults defaults) {
    ByteBuffer bytes = defaults.bytes();
    int size = defaults.size();
    int threads = threads(bytes, size);
    int run = threads + 8;
    while (run + 4 <= size && bytes.getInt(run) != -1) {
      run += 4;
    }
    int length = 0;
    while (run + 4 * length + 4 <= size && bytes.getInt(run + 4 * length) == -1) {
      length++;
    }
    if (length != ENUMS && length != ENUMS + 1) {
      throw unknown("a run of 3 or 4 enums of -1 after the thread counts (found " + length + ")");
    }
    Optional<Integer> flash = length > ENUMS ? Optional.of(run + 4 * ENUMS) : Optional.empty();
    return new Fingerprint(threads, evalCallback(bytes, size), flash);
  }

  private static int threads(ByteBuffer bytes, int size) {
    for (int o = 12; o + 8 <= size; o += 4) {
      if (bytes.getInt(o) == 4 && bytes.getInt(o + 4) == 4) {
        return o;
      }
    }
    throw unknown("the two thread counts of 4");
  }

  private static int evalCallback(ByteBuffer bytes, int size) {
    for (int o = 64; o + 24 <= size; o += 8) {
      boolean threshold = bytes.getFloat(o - 4) == -1f || bytes.getFloat(o - 8) == -1f;
      if (threshold
          && bytes.getLong(o) == 0
          && bytes.getLong(o + 8) == 0
          && bytes.getInt(o + 16) == 1
          && bytes.getInt(o + 20) == 1) {
        return o;
      }
    }
    throw unknown("cb_eval between the defragmentation threshold and the two F16 cache types");
  }

  private static LlamaException unknown(String what) {
    return new LlamaException(
        LlamaException.Kind.LIBRARY,
        "unknown layout of llama_context_params: its defaults do not show " + what);
  }
}
