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
 * @param size bytes the library writes
 * @param threads offset of {@code n_threads}
 * @param evalCallback offset of {@code cb_eval}
 * @param flashAttention offset of {@code flash_attn_type}, absent where it is a bool elsewhere
 */
record Fingerprint(int size, int threads, int evalCallback, Optional<Integer> flashAttention) {

  /**
   * Reads the fingerprint off two copies of the defaults, made over different prefills.
   *
   * @throws LlamaException naming what was not found
   */
  static Fingerprint of(ByteBuffer one, ByteBuffer other) {
    int size = size(one, other);
    int threads = threads(one, size);
    int run = threads + 8;
    while (run + 4 <= size && one.getInt(run) != -1) {
      run += 4;
    }
    int length = 0;
    while (run + 4 * length + 4 <= size && one.getInt(run + 4 * length) == -1) {
      length++;
    }
    if (length != 3 && length != 4) {
      throw unknown("a run of 3 or 4 enums of -1 after the thread counts (found " + length + ")");
    }
    Optional<Integer> flash = length == 4 ? Optional.of(run + 12) : Optional.empty();
    return new Fingerprint(size, threads, evalCallback(one, size), flash);
  }

  /** Bytes that a function returning a struct wrote, as seen over two prefills. */
  static int size(ByteBuffer one, ByteBuffer other) {
    int last = one.capacity() - 1;
    while (last >= 0 && one.get(last) != other.get(last)) {
      last--;
    }
    return (last + 8) / 8 * 8;
  }

  private static int threads(ByteBuffer defaults, int size) {
    for (int o = 12; o + 8 <= size; o += 4) {
      if (defaults.getInt(o) == 4 && defaults.getInt(o + 4) == 4) {
        return o;
      }
    }
    throw unknown("the two thread counts of 4");
  }

  private static int evalCallback(ByteBuffer defaults, int size) {
    for (int o = 64; o + 24 <= size; o += 8) {
      boolean threshold =
          defaults.getFloat(o - 4) == -1f || defaults.getFloat(o - 8) == -1f;
      if (threshold
          && defaults.getLong(o) == 0
          && defaults.getLong(o + 8) == 0
          && defaults.getInt(o + 16) == 1
          && defaults.getInt(o + 20) == 1) {
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
