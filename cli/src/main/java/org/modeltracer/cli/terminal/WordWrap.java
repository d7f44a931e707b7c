package org.modeltracer.cli.terminal;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Text in lines of at most some columns, broken between words; a longer word stays whole. */
public final class WordWrap {
  private static final Pattern WORD = Pattern.compile(" *[^ ]+");

  /** What switches colours, with or without the stand-in of {@link Terminal} for its escape. */
  private static final Pattern STYLE =
      Pattern.compile("(?:\u001b|\uFDD0[0-9a-f]+\uFDD0)\\[[0-9;]*m");

  private WordWrap() {}

  /**
   * The lines of one line of text.
   *
   * @param width columns of a line
   * @param hang columns by which lines after the first are indented
   */
  public static List<String> lines(String text, int width, int hang) {
    var lines = new ArrayList<String>();
    var line = new StringBuilder();
    int columns = 0;
    Matcher words = WORD.matcher(text);
    while (words.find()) {
      String word = words.group();
      if (columns > 0 && columns + columns(word) > width) {
        lines.add(line.toString());
        line.setLength(0);
        word = " ".repeat(Math.min(hang, width / 2)) + word.strip();
        columns = 0;
      }
      line.append(word);
      columns += columns(word);
    }
    lines.add(line.toString());
    return lines;
  }

  /** Columns that a text takes: its characters, but for those that switch colours. */
  public static int columns(String text) {
    String shown = STYLE.matcher(text).replaceAll("");
    return shown.codePointCount(0, shown.length());
  }
}
