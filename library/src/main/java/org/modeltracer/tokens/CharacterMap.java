package org.modeltracer.tokens;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * SentencePiece's {@code precompiled_charsmap}: which characters are replaced before a text is cut.
 *
 * <p>Its bytes are the length of a double-array trie (Darts-clone, 32-bit units, little-endian),
 * the trie, then replacements that end with a zero byte. The longest prefix found in the trie is
 * replaced; what is not found stays.
 */
final class CharacterMap {
  private static final int LEAF = 1 << 8;
  private static final int EXTENDED = 1 << 9;
  private static final int LABEL = 1 << 31 | 0xff;

  private final int[] trie;
  private final byte[] replacements;

  /**
   * @param bytes empty for a map that replaces nothing
   * @throws UnsupportedTokenizer if the bytes are too few for the trie they announce
   */
  CharacterMap(byte[] bytes) {
    var buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int length = bytes.length < 4 ? 0 : buffer.getInt();
    if (length < 0 || length % 4 != 0 || length > buffer.remaining()) {
      throw new UnsupportedTokenizer(
          "tokenizer.ggml.precompiled_charsmap announces a trie of "
              + length
              + " bytes, and has "
              + buffer.remaining());
    }
    trie = new int[length / 4];
    buffer.asIntBuffer().get(trie);
    buffer.position(buffer.position() + length);
    replacements = new byte[buffer.remaining()];
    buffer.get(replacements);
  }

  /** A text with its characters replaced. */
  String apply(String text) {
    if (trie.length == 0) {
      return text;
    }
    byte[] in = text.getBytes(StandardCharsets.UTF_8);
    var out = new ByteArrayOutputStream();
    for (int at = 0; at < in.length; ) {
      int node = offset(unit(0));
      int length = 0;
      int found = 0;
      for (int end = at; end < in.length && in[end] != 0; end++) {
        node ^= in[end] & 0xff;
        int unit = unit(node);
        if ((unit & LABEL) != (in[end] & 0xff)) {
          break;
        }
        node ^= offset(unit);
        if ((unit & LEAF) != 0) {
          length = end - at + 1;
          found = unit(node) & Integer.MAX_VALUE;
        }
      }
      if (length == 0) {
        do {
          out.write(in[at++]);
        } while (at < in.length && (in[at] & 0xc0) == 0x80);
      } else {
        for (int i = found; i < replacements.length && replacements[i] != 0; i++) {
          out.write(replacements[i]);
        }
        at += length;
      }
    }
    return out.toString(StandardCharsets.UTF_8);
  }

  private int unit(int node) {
    return node >= 0 && node < trie.length ? trie[node] : LABEL;
  }

  private static int offset(int unit) {
    return unit >>> 10 << ((unit & EXTENDED) >> 6);
  }
}
