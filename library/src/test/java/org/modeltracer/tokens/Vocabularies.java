package org.modeltracer.tokens;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.modeltracer.gguf.GgufBytes;
import org.modeltracer.gguf.GgufFile;

/** Files that hold nothing but a vocabulary. */
final class Vocabularies {
  private Vocabularies() {}

  /** A byte-level BPE vocabulary; an empty pre-tokenizer is not written. */
  static GgufBytes bpe(String pre, List<String> tokens, int[] types, List<String> merges) {
    var file = new GgufBytes().text("tokenizer.ggml.model", "gpt2");
    if (!pre.isEmpty()) {
      file.text("tokenizer.ggml.pre", pre);
    }
    var numbers = new byte[types.length][];
    for (int i = 0; i < types.length; i++) {
      numbers[i] = GgufBytes.u32(types[i]);
    }
    return file.texts("tokenizer.ggml.tokens", tokens.toArray(String[]::new))
        .array("tokenizer.ggml.token_type", 5, types.length, numbers)
        .texts("tokenizer.ggml.merges", merges.toArray(String[]::new));
  }

  /** All bytes, then what the merges make, as a vocabulary without special tokens. */
  static BpeEncoding ofMerges(Path directory, String pre, List<String> merges) {
    var tokens = new ArrayList<String>();
    for (int b = 0; b < 256; b++) {
      tokens.add(String.valueOf(ByteAlphabet.letter(b)));
    }
    for (String merge : merges) {
      String token = merge.replace(" ", "");
      if (!tokens.contains(token)) {
        tokens.add(token);
      }
    }
    var types = new int[tokens.size()];
    Arrays.fill(types, 1);
    GgufFile file =
        bpe(pre, tokens, types, merges).bool("tokenizer.ggml.add_bos_token", false).read(directory);
    return BpeEncoding.of(GgufVocabulary.of(file));
  }
}
