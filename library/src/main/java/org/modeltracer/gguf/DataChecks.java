package org.modeltracer.gguf;

/** Where the tensor data begin: ggml ends the process over a buffer that is not aligned for it. */
final class DataChecks {
  /** ggml's TENSOR_ALIGNMENT, which it asks of the memory that a file is mapped to. */
  private static final int ALIGNMENT = 32;

  private DataChecks() {}

  static void run(LoadChecks checks) {
    for (Shard shard : checks.file().shards()) {
      if (shard.tensors() > 0 && shard.dataOffset() % ALIGNMENT != 0) {
        checks.report(
            "general.alignment",
            "puts the tensor data at byte %d, no multiple of 32%s",
            shard.dataOffset(),
            checks.file().shards().size() == 1 ? "" : ", in " + shard.name());
      }
    }
  }
}
