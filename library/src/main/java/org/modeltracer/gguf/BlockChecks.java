package org.modeltracer.gguf;

import java.util.BitSet;
import java.util.Set;
import java.util.regex.Pattern;

/** Layers, width and context: as many as claimed, and as wide. */
final class BlockChecks {
  /** llama.cpp keeps per-layer arrays of this length and ends the process beyond it. */
  private static final int MOST_BLOCKS = 512;

  private static final Pattern BLOCK = Pattern.compile("(?:enc\\.)?blk\\.(\\d{1,9})\\..*");
  private static final String EMBEDDING = "token_embd.weight";

  private static final String PREDICTING = "nextn_predict_layers";

  /** Architectures whose embedding or layers are named otherwise, or lie in another file. */
  private static final Set<String> ELSEWHERE =
      Set.of("clip", "wavtokenizer-dec", "eagle3", "dflash");

  private BlockChecks() {}

  static void run(LoadChecks checks) {
    boolean whole = !ELSEWHERE.contains(checks.architecture());
    long blocks = checks.required("block_count", MOST_BLOCKS).orElse(0);
    if (whole) {
      blocks(checks, blocks);
    }
    long width = checks.required("embedding_length", Integer.MAX_VALUE).orElse(0);
    checks.required("context_length", Integer.toUnsignedLong(-1));
    if (whole) {
      embedding(checks, width);
    }
  }

  private static void blocks(LoadChecks checks, long claimed) {
    BitSet present = present(checks.file());
    long optional = checks.integer(PREDICTING).orElse(0);
    if (claimed > 0 && (optional < 0 || optional >= claimed)) {
      checks.report(checks.key(PREDICTING), "must be below the block_count, %d", claimed);
      return;
    }
    int missing = present.nextClearBit(0);
    if (claimed > 0 && missing < claimed - optional) {
      checks.report(
          checks.key("block_count"),
          "needs tensors of layers 0 to %d, but the file has %s",
          claimed - 1,
          present.isEmpty()
              ? "none"
              : "those of " + present.cardinality() + " layers, none of layer " + missing);
    } else if (claimed > 0 && present.length() > claimed) {
      checks.report(
          checks.key("block_count"),
          "is less than the %d layers the file has tensors of",
          present.length());
    }
  }

  private static BitSet present(GgufFile file) {
    var present = new BitSet();
    for (TensorInfo tensor : file.tensors()) {
      var matcher = BLOCK.matcher(tensor.name());
      if (matcher.matches()) {
        int layer = Integer.parseInt(matcher.group(1));
        present.set(Math.min(layer, MOST_BLOCKS));
      }
    }
    return present;
  }

  private static void embedding(LoadChecks checks, long width) {
    var embedding = checks.file().tensor(EMBEDDING);
    if (embedding.isEmpty()) {
      checks.reportTensor(EMBEDDING, "is missing: the file has no token embedding");
    } else if (width > 0 && embedding.get().dimension(0) != width) {
      checks.report(
          checks.key("embedding_length"),
          "differs from the width of %s, %d",
          EMBEDDING,
          embedding.get().dimension(0));
    }
  }
}
