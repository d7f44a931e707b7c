package org.modeltracer.cli.terminal;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.model.VisibleText;

/** Tokens as a person can tell them apart: spaces seen, nothing that moves the cursor. */
public final class TokenTexts {
  private static final HexFormat BYTES = HexFormat.of().withUpperCase().withPrefix("\\x");

  private final Vocabulary vocabulary;

  public TokenTexts(Vocabulary vocabulary) {
    this.vocabulary = vocabulary;
  }

  /** Text of a token; bytes that are no text by themselves are shown in hexadecimal. */
  String text(int token) {
    byte[] piece = vocabulary.piece(token, true);
    String whole = new String(piece, StandardCharsets.UTF_8);
    if (whole.indexOf('\uFFFD') >= 0) {
      return BYTES.formatHex(piece);
    }
    var text = new StringBuilder();
    whole
        .codePoints()
        .forEach(
            c -> {
              switch (c) {
                case ' ' -> text.append('␣');
                default -> text.append(VisibleText.line(Character.toString(c)));
              }
            });
    return text.toString();
  }
}
