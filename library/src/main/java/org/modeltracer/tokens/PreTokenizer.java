package org.modeltracer.tokens;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Splits text into the words that BPE then works on, one at a time.
 *
 * <p>Expressions are applied one after another, each to the pieces the one before left; what an
 * expression matches is a piece, and so is what lies between matches.
 */
final class PreTokenizer {
  /**
   * An expression.
   *
   * @param collapsed whether it is to be matched against {@link CollapsedText}
   */
  private record Step(Pattern pattern, boolean collapsed) {
    static Step of(String regex) {
      String collapsed = CollapsedText.expression(regex);
      return new Step(Pattern.compile(collapsed), !collapsed.equals(regex));
    }
  }

  private final List<Step> steps;

  PreTokenizer(List<String> expressions) {
    steps = expressions.stream().map(Step::of).toList();
  }

  /** The words, in order; together they are the text. */
  List<String> split(String text) {
    String collapsed = CollapsedText.of(text);
    String plain = CollapsedText.whiteSpaceOnly(text);
    List<Integer> ends = List.of(text.length());
    for (Step step : steps) {
      ends = cut(step.pattern.matcher(step.collapsed ? collapsed : plain), ends);
    }
    var words = new ArrayList<String>(ends.size());
    int start = 0;
    for (int end : ends) {
      words.add(text.substring(start, end));
      start = end;
    }
    return words;
  }

  /** Cuts every piece where a match begins or ends. */
  private static List<Integer> cut(Matcher matcher, List<Integer> pieces) {
    var ends = new ArrayList<Integer>();
    IntConsumer cut =
        at -> {
          if (at > (ends.isEmpty() ? 0 : ends.getLast())) {
            ends.add(at);
          }
        };
    int start = 0;
    for (int end : pieces) {
      matcher.region(start, end);
      while (matcher.find()) {
        cut.accept(matcher.start());
        cut.accept(matcher.end());
      }
      cut.accept(end);
      start = end;
    }
    return ends;
  }
}
