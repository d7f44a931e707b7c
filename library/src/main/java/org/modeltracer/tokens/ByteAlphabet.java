package org.modeltracer.tokens;

import java.util.Arrays;

/**
 * The letters in which byte-level BPE vocabularies write bytes, so that every token is printable.
 *
 * <p>Bytes that print in Latin-1 stand for themselves, the others are the letters from U+0100 on
 * (the mapping of GPT-2, Radford 2019).
 */
final class ByteAlphabet {
  private static final char[] LETTERS = new char[256];
  private static final short[] BYTES = new short[0x144];

  static {
    Arrays.fill(BYTES, (short) -1);
    char next = 0x100;
    for (int b = 0; b < 256; b++) {
      boolean prints = (b >= '!' && b <= '~') || (b >= 0xa1 && b != 0xad);
      LETTERS[b] = prints ? (char) b : next++;
      BYTES[LETTERS[b]] = (short) b;
    }
  }

  private ByteAlphabet() {}

  static char letter(int unsignedByte) {
    return LETTERS[unsignedByte];
  }

  /** The byte a letter stands for, or −1. */
  static int byteOf(int letter) {
    return letter >= 0 && letter < BYTES.length ? BYTES[letter] : -1;
  }

  static String write(byte[] bytes) {
    var letters = new StringBuilder(bytes.length);
    for (byte b : bytes) {
      letters.append(LETTERS[Byte.toUnsignedInt(b)]);
    }
    return letters.toString();
  }
}
