package org.modeltracer.model;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Locale;

/**
 * A text from a file as it is shown and written: no longer than a person reads.
 *
 * <p>Of a longer one stays the beginning, with the length and hash of the whole as UTF-8: {@code …
 * (60,000,000 bytes, sha256 …)}. An instance follows the bytes of a text that need not be held.
 */
public final class CutText {
  /** Characters of a text before it is cut. */
  public static final int LONGEST = 4096;

  /**
   * Room for length and hash: a text that is longer by less stays, and one that was cut already.
   */
  private static final int MARK = 128;

  /** Bytes of a character in UTF-8, at most. */
  private static final int WIDEST = 4;

  private static final int PIECE = 1 << 16;

  private final int longest;
  private final MessageDigest digest = sha256();
  private final byte[] beginning;
  private long bytes;

  /** Nothing yet of a text that is cut after {@link #LONGEST} characters. */
  public CutText() {
    this(LONGEST);
  }

  private CutText(int longest) {
    this.longest = longest;
    beginning = new byte[WIDEST * (longest + MARK)];
  }

  /** A text, or its beginning where it is longer than {@link #LONGEST} characters. */
  public static String of(String text) {
    return of(text, LONGEST);
  }

  /** The same with another length. */
  static String of(String text, int longest) {
    if (text.length() <= longest + MARK) {
      return text;
    }
    var cut = new CutText(longest);
    for (int from = 0; from < text.length(); ) {
      int to = end(text, Math.min(text.length(), from + PIECE));
      byte[] piece = text.substring(from, to).getBytes(StandardCharsets.UTF_8);
      cut.add(piece, 0, piece.length);
      from = to;
    }
    return cut.toString();
  }

  /** Takes the next bytes of the text. */
  public void add(byte[] more, int offset, int length) {
    digest.update(more, offset, length);
    if (bytes < beginning.length) {
      int room = (int) Math.min(beginning.length - bytes, length);
      System.arraycopy(more, offset, beginning, (int) bytes, room);
    }
    bytes += length;
  }

  /** What is shown of the text, once all of it was taken. */
  @Override
  public String toString() {
    int held = (int) Math.min(bytes, beginning.length);
    String text = new String(Arrays.copyOf(beginning, held), StandardCharsets.UTF_8);
    if (bytes == held && text.length() <= longest + MARK) {
      return text;
    }
    return String.format(
        Locale.ROOT,
        "%s… (%,d bytes, sha256 %s)",
        text.substring(0, end(text, Math.min(longest, text.length()))),
        bytes,
        HexFormat.of().formatHex(digest.digest()));
  }

  /** Where to cut, so that no character is cut in two. */
  private static int end(String text, int end) {
    return end < text.length() && Character.isHighSurrogate(text.charAt(end - 1)) ? end - 1 : end;
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
