package org.modeltracer.cli.terminal;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/** Text from tokens that may end in the middle of a character. */
public final class TextStream {
  private final Consumer<String> target;
  private final CharsetDecoder decoder =
      StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPLACE)
          .onUnmappableCharacter(CodingErrorAction.REPLACE);
  private ByteBuffer pending = ByteBuffer.allocate(0);

  public TextStream(Consumer<String> target) {
    this.target = target;
  }

  public void accept(byte[] bytes) {
    decode(bytes, false);
  }

  /** Writes what is left of a character that never became whole. */
  public void end() {
    decode(new byte[0], true);
  }

  private void decode(byte[] bytes, boolean last) {
    ByteBuffer in = ByteBuffer.allocate(pending.remaining() + bytes.length);
    in.put(pending).put(bytes).flip();
    CharBuffer chars = CharBuffer.allocate(in.remaining() + 1);
    decoder.decode(in, chars, last);
    if (last) {
      decoder.flush(chars);
    }
    pending = in;
    target.accept(chars.flip().toString());
  }
}
