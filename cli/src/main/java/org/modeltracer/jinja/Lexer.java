package org.modeltracer.jinja;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Cuts a template into pieces; comments are left out. */
final class Lexer {
  private static final Pattern RAW = Pattern.compile("\\{%[-+]?\\s*raw\\s*-?%\\}");
  private static final Pattern END_RAW = Pattern.compile("\\{%[-+]?\\s*endraw\\s*[-+]?%\\}");
  private static final Pattern NAME = Pattern.compile("[\\p{L}_][\\p{L}\\p{Nd}_]*");
  private static final Pattern NUMBER =
      Pattern.compile(
          "0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+"
              + "|[0-9][0-9_]*(?:\\.[0-9][0-9_]*)?(?:[eE][-+]?[0-9]+)?");
  private static final List<String> OPERATORS =
      List.of(
          "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ",",
          ":", "|", "(", ")", "[", "]", "{", "}");

  private final String text;
  private final List<Token> tokens = new ArrayList<>();
  private int at;
  private int line = 1;
  private int countedTo;

  Lexer(String text) {
    this.text = text;
  }

  /** All pieces; the last is the end. */
  List<Token> tokens() {
    int from = 0;
    while (at < text.length()) {
      int open = text.indexOf('{', at);
      if (open < 0 || open + 1 == text.length()) {
        break;
      }
      at = open;
      if ("#{%".indexOf(text.charAt(open + 1)) >= 0) {
        plain(from, open);
      }
      switch (text.charAt(open + 1)) {
        case '#' -> comment();
        case '{' -> inside(Token.Kind.PRINT_BEGIN, Token.Kind.PRINT_END, "}}");
        case '%' -> block();
        default -> {
          at = open + 1;
          continue;
        }
      }
      from = at;
    }
    plain(from, text.length());
    at = text.length();
    add(Token.Kind.END, "");
    return tokens;
  }

  private void plain(int from, int to) {
    if (to > from) {
      add(Token.Kind.TEXT, text.substring(from, to));
    }
  }

  private void comment() {
    int begin = line();
    int end = text.indexOf("#}", at + 2);
    if (end < 0) {
      throw new TemplateSyntaxException(begin, "the comment {# is never closed");
    }
    at = end + 2;
  }

  private void block() {
    Matcher raw = RAW.matcher(text).region(at, text.length());
    if (!raw.lookingAt()) {
      inside(Token.Kind.BLOCK_BEGIN, Token.Kind.BLOCK_END, "%}");
      return;
    }
    int begin = line();
    Matcher end = END_RAW.matcher(text);
    if (!end.find(raw.end())) {
      throw new TemplateSyntaxException(begin, "raw is never closed by endraw");
    }
    plain(raw.end(), end.start());
    at = end.end();
  }

  /** Reads up to the closing mark, which counts only outside of brackets. */
  private void inside(Token.Kind begin, Token.Kind end, String mark) {
    int first = line();
    add(begin, text.substring(at, at + 2));
    at += 2;
    if (at < text.length() && (text.charAt(at) == '-' || text.charAt(at) == '+')) {
      at++;
    }
    Deque<Character> open = new ArrayDeque<>();
    while (true) {
      while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
        at++;
      }
      if (at >= text.length()) {
        throw new TemplateSyntaxException(first, "'" + mark + "' is missing");
      }
      if (open.isEmpty() && closes(mark)) {
        add(end, mark);
        at = text.indexOf(mark, at) + mark.length();
        return;
      }
      next(open);
    }
  }

  private boolean closes(String mark) {
    char c = text.charAt(at);
    return text.startsWith(mark, at) || ((c == '-' || c == '+') && text.startsWith(mark, at + 1));
  }

  private void next(Deque<Character> open) {
    char c = text.charAt(at);
    if (c == '\'' || c == '"') {
      string(c);
    } else if (!matched(NAME, Token.Kind.NAME) && !matched(NUMBER, Token.Kind.NUMBER)) {
      String operator =
          OPERATORS.stream()
              .filter(o -> text.startsWith(o, at))
              .findFirst()
              .orElseThrow(
                  () ->
                      new TemplateSyntaxException(
                          line(),
                          "unexpected character '"
                              + Character.toString(text.codePointAt(at))
                              + "'"));
      balance(operator, open);
      add(Token.Kind.OPERATOR, operator);
      at += operator.length();
    }
  }

  private void balance(String operator, Deque<Character> open) {
    switch (operator) {
      case "(" -> open.push(')');
      case "[" -> open.push(']');
      case "{" -> open.push('}');
      case ")", "]", "}" -> {
        if (open.isEmpty() || open.pop() != operator.charAt(0)) {
          throw new TemplateSyntaxException(line(), "'" + operator + "' closes nothing");
        }
      }
      default -> {}
    }
  }

  private boolean matched(Pattern pattern, Token.Kind kind) {
    Matcher matcher = pattern.matcher(text).region(at, text.length());
    if (!matcher.lookingAt()) {
      return false;
    }
    add(kind, matcher.group());
    at = matcher.end();
    return true;
  }

  private void string(char quote) {
    int end = at + 1;
    while (end < text.length() && text.charAt(end) != quote) {
      end += text.charAt(end) == '\\' ? 2 : 1;
    }
    if (end >= text.length()) {
      throw new TemplateSyntaxException(
          line(), "the text that begins with " + quote + " never ends");
    }
    add(Token.Kind.STRING, text.substring(at + 1, end));
    at = end + 1;
  }

  private void add(Token.Kind kind, String shown) {
    tokens.add(new Token(kind, shown, line()));
  }

  /** Line of the present place. */
  private int line() {
    for (; countedTo < Math.min(at, text.length()); countedTo++) {
      if (text.charAt(countedTo) == '\n') {
        line++;
      }
    }
    return line;
  }
}
