package org.modeltracer.cli;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Whole numbers in a row, as in {@code 0-2}; one alone is written {@code 5}.
 *
 * @param first the first
 * @param last the last, not below it
 */
record NumberRange(int first, int last) {
  private static final Pattern WORDS = Pattern.compile("(\\d{1,9})(?:-(\\d{1,9}))?");

  /** All numbers of some ranges, in order, each once. */
  static List<Integer> all(List<NumberRange> ranges) {
    return ranges.stream()
        .flatMap(range -> IntStream.rangeClosed(range.first, range.last).boxed())
        .distinct()
        .toList();
  }

  /** Reads what is typed. */
  static final class Converter implements ITypeConverter<NumberRange> {
    @Override
    public NumberRange convert(String value) {
      Matcher words = WORDS.matcher(value.strip());
      if (words.matches()) {
        int first = Integer.parseInt(words.group(1));
        int last = words.group(2) == null ? first : Integer.parseInt(words.group(2));
        if (first <= last) {
          return new NumberRange(first, last);
        }
      }
      throw new TypeConversionException(
          "'%s' is neither a number nor a range such as 0-2".formatted(value));
    }
  }
}
