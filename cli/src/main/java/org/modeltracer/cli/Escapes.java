package org.modeltracer.cli;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;

/** Characters that are written with a backslash, as llama.cpp's programs read them. */
final class Escapes {
  private static final Pattern ESCAPE = Pattern.compile("\\\\(?:([nrt'\"\\\\])|x([0-9A-Fa-f]{2}))");

  private Escapes() {}

  /**
   * The text that is meant; what no escape begins with stays as it is.
   *
   * @throws CliException when bytes written as {@code \xHH} are no UTF-8
   */
  static String read(String text) {
    var bytes = new ByteArrayOutputStream();
    Matcher matcher = ESCAPE.matcher(text);
    int from = 0;
    while (matcher.find()) {
      bytes.writeBytes(text.substring(from, matcher.start()).getBytes(StandardCharsets.UTF_8));
      String code = matcher.group(2);
      bytes.write(
          code == null ? character(matcher.group(1).charAt(0)) : Integer.parseInt(code, 16));
      from = matcher.end();
    }
    bytes.writeBytes(text.substring(from).getBytes(StandardCharsets.UTF_8));
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .decode(ByteBuffer.wrap(bytes.toByteArray()))
          .toString();
    } catch (CharacterCodingException e) {
      throw new CliException(
          ExitCode.USAGE, "--escape: the bytes written as \\x.. in the prompt are not UTF-8 text");
    }
  }

  private static int character(char name) {
    return switch (name) {
      case 'n' -> '\n';
      case 'r' -> '\r';
      case 't' -> '\t';
      default -> name;
    };
  }
}
