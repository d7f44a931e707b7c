package org.modeltracer.anomaly;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Finds runs of tokens whose bytes are not UTF-8.
 *
 * <p>A character may be spread over several tokens, so bytes that may still become one are kept.
 */
public final class Utf8Rule {
  private final Thresholds limits;
  private final CharsetDecoder decoder =
      StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPORT)
          .onUnmappableCharacter(CodingErrorAction.REPORT);
  private final ByteBuffer bytes = ByteBuffer.allocate(512);
  private final CharBuffer text = CharBuffer.allocate(512);
  private int broken;

  /** Starts watching a generation. */
  public Utf8Rule(Thresholds limits) {
    this.limits = limits;
  }

  /** Takes the bytes of a step's token; reports once per run, when it is long enough. */
  public @Nullable Finding accept(int step, byte[] piece) {
    boolean malformed = false;
    for (int start = 0; start < piece.length; ) {
      int n = Math.min(bytes.remaining(), piece.length - start);
      bytes.put(piece, start, n);
      start += n;
      malformed |= decode();
    }
    if (piece.length > 0) {
      broken = malformed ? broken + 1 : 0;
    }
    if (!malformed || broken != limits.brokenUtf8()) {
      return null;
    }
    return new Finding(
        AnomalyKind.TOKENIZER,
        AnomalyKind.TOKENIZER.severity(),
        "%d tokens in a row are not UTF-8, since step %d".formatted(broken, step - broken + 1),
        broken - 1);
  }

  private boolean decode() {
    boolean malformed = false;
    bytes.flip();
    while (true) {
      text.clear();
      CoderResult result = decoder.decode(bytes, text, false);
      if (result.isError()) {
        malformed = true;
        bytes.position(bytes.position() + result.length());
      } else if (result.isUnderflow()) {
        bytes.compact();
        return malformed;
      }
    }
  }
}
