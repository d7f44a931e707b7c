package org.modeltracer.cli;

import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

/**
 * Tells when Java has lost bytes of what was typed.
 *
 * <p>Arguments are decoded by the locale. The launcher sees to it that this is UTF-8; who starts
 * Java otherwise, without a locale, would have prompts changed and names of files unreadable.
 */
final class LostBytes {
  private static final char LOST = '\uFFFD';

  private LostBytes() {}

  /** What to say where an argument holds letters that the locale does not have. */
  static Optional<String> complaint(List<String> arguments) {
    return complaint(arguments, Charset.forName(System.getProperty("sun.jnu.encoding", "UTF-8")));
  }

  static Optional<String> complaint(List<String> arguments, Charset locale) {
    return locale.equals(StandardCharsets.UTF_8)
        ? Optional.empty()
        : arguments.stream()
            .filter(argument -> argument.indexOf(LOST) >= 0)
            .findFirst()
            .map(
                argument ->
                    ("'%s' holds letters that this locale (%s) does not have: start with"
                            + " LC_ALL=C.UTF-8")
                        .formatted(argument, locale));
  }
}
