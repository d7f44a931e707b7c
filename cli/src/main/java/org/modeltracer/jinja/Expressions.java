package org.modeltracer.jinja;

import java.util.Set;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;

/** Reads expressions, by the precedences of Jinja 2. */
final class Expressions {
  /** Deeper than any template, shallow enough for any stack. */
  private static final int DEEPEST = 100;

  private static final Set<String> KEYWORDS =
      Set.of("and", "else", "elif", "if", "in", "is", "not", "or");

  private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

  private static final Set<String> FILTERS =
      Set.of(
          ("abs attr batch capitalize center count d default dictsort e escape filesizeformat first"
                  + " float forceescape format groupby indent int items join last length list lower"
                  + " map max min pprint random reject rejectattr replace reverse round safe select"
                  + " selectattr slice sort string striptags sum title tojson trim truncate unique"
                  + " upper urlencode urlize wordcount wordwrap xmlattr")
              .split(" "));

  private static final Set<String> TESTS =
      Set.of(
          ("boolean callable defined divisibleby eq equalto escaped even false filter float ge"
               + " greaterthan gt in integer iterable le lessthan lower lt mapping ne none number"
               + " odd sameas sequence string test true undefined upper")
              .split(" "));

  private final Cursor cursor;
  private final BooleanSupplier guarded;
  private final Set<String> unknown = new TreeSet<>();
  private int depth;

  /**
   * @param guarded whether the present place is reached only under a condition, where Jinja asks
   *     for a filter or test no earlier than it is used
   */
  Expressions(Cursor cursor, BooleanSupplier guarded) {
    this.cursor = cursor;
    this.guarded = guarded;
  }

  /** Filters and tests that do not exist, but are used only under conditions. */
  Set<String> unknown() {
    return unknown;
  }

  /** One expression, or several with commas between, which are a tuple. */
  void tuple(boolean conditional) {
    do {
      expression(conditional);
    } while (cursor.accept(",") && startsExpression());
  }

  /** An expression; {@code conditional} allows {@code a if b else c}. */
  void expression(boolean conditional) {
    if (++depth > DEEPEST) {
      throw cursor.wrong("nested more than " + DEEPEST + " levels deep");
    }
    or();
    while (conditional && cursor.acceptWord("if")) {
      or();
      if (cursor.acceptWord("else")) {
        expression(true);
      }
    }
    depth--;
  }

  private boolean startsExpression() {
    Token token = cursor.token();
    return switch (token.kind()) {
      case NAME -> !KEYWORDS.contains(token.text()) || token.word("not");
      case STRING, NUMBER -> true;
      case OPERATOR -> Set.of("(", "[", "{", "-", "+").contains(token.text());
      default -> false;
    };
  }

  private void or() {
    do {
      and();
    } while (cursor.acceptWord("or"));
  }

  private void and() {
    do {
      not();
    } while (cursor.acceptWord("and"));
  }

  private void not() {
    while (cursor.token().word("not")) {
      cursor.next();
    }
    compare();
  }

  private void compare() {
    sum();
    while (true) {
      if (cursor.token().kind() == Token.Kind.OPERATOR
          && COMPARISONS.contains(cursor.token().text())) {
        cursor.next();
      } else if (cursor.token().word("not") && cursor.peek().word("in")) {
        cursor.next();
        cursor.next();
      } else if (!cursor.acceptWord("in")) {
        return;
      }
      sum();
    }
  }

  /** Sums, concatenations, products and powers: what matters here is that operands lie between. */
  private void sum() {
    do {
      unary();
    } while (acceptOperator());
  }

  private boolean acceptOperator() {
    return cursor.accept("+")
        || cursor.accept("-")
        || cursor.accept("~")
        || cursor.accept("*")
        || cursor.accept("/")
        || cursor.accept("//")
        || cursor.accept("%")
        || cursor.accept("**");
  }

  private void unary() {
    while (cursor.accept("-") || cursor.accept("+")) {}
    primary();
    postfix();
    filters();
  }

  private void primary() {
    Token token = cursor.next();
    switch (token.kind()) {
      case NAME -> {
        if (KEYWORDS.contains(token.text())) {
          throw cursor.unexpected(token, "an expression");
        }
      }
      case NUMBER -> {}
      case STRING -> {
        while (cursor.token().kind() == Token.Kind.STRING) {
          cursor.next();
        }
      }
      case OPERATOR -> bracket(token);
      default -> throw cursor.unexpected(token, "an expression");
    }
  }

  private void bracket(Token token) {
    switch (token.text()) {
      case "(" -> {
        if (!cursor.token().is(")")) {
          tuple(true);
        }
        cursor.expect(")");
      }
      case "[" -> {
        list("]");
      }
      case "{" -> {
        while (!cursor.token().is("}")) {
          expression(true);
          cursor.expect(":");
          expression(true);
          if (!cursor.accept(",")) {
            break;
          }
        }
        cursor.expect("}");
      }
      default -> throw cursor.unexpected(token, "an expression");
    }
  }

  private void list(String close) {
    while (!cursor.token().is(close)) {
      expression(true);
      if (!cursor.accept(",")) {
        break;
      }
    }
    cursor.expect(close);
  }

  private void postfix() {
    while (true) {
      if (cursor.accept(".")) {
        Token member = cursor.next();
        if (member.kind() != Token.Kind.NAME && member.kind() != Token.Kind.NUMBER) {
          throw cursor.unexpected(member, "a name after '.'");
        }
      } else if (cursor.accept("[")) {
        subscripts();
      } else if (cursor.token().is("(")) {
        arguments();
      } else {
        return;
      }
    }
  }

  private void subscripts() {
    if (cursor.accept("]")) {
      return;
    }
    do {
      for (int colons = 0; ; ) {
        if (startsExpression()) {
          expression(true);
        } else if (colons == 0 && !cursor.token().is(":")) {
          throw cursor.unexpected(cursor.token(), "an index");
        }
        if (colons++ == 2 || !cursor.accept(":")) {
          break;
        }
      }
    } while (cursor.accept(","));
    cursor.expect("]");
  }

  /** Arguments in brackets: values, {@code name=value}, {@code *list} and {@code **object}. */
  void arguments() {
    cursor.expect("(");
    while (!cursor.token().is(")")) {
      if (!cursor.accept("*") && !cursor.accept("**") && cursor.peek().is("=")) {
        cursor.name("an argument");
        cursor.expect("=");
      }
      expression(true);
      if (!cursor.accept(",")) {
        break;
      }
    }
    cursor.expect(")");
  }

  /** Filters, tests and calls of what they give. */
  private void filters() {
    while (true) {
      if (cursor.token().is("|")) {
        filter();
      } else if (cursor.acceptWord("is")) {
        test();
      } else if (cursor.token().is("(")) {
        arguments();
      } else {
        return;
      }
    }
  }

  private void filter() {
    cursor.expect("|");
    filterName();
  }

  /** The name of a filter, its arguments, and filters after it. */
  void filterName() {
    Token name = cursor.name("a filter");
    known(FILTERS, name, "filter");
    if (cursor.token().is("(")) {
      arguments();
    }
    if (cursor.token().is("|")) {
      filter();
    }
  }

  private void test() {
    cursor.acceptWord("not");
    Token name = cursor.name("a test");
    known(TESTS, name, "test");
    if (cursor.token().is("(")) {
      arguments();
    } else if (startsExpression() && !cursor.token().word("not") && !sign(cursor.token())) {
      primary();
      postfix();
    }
  }

  private void known(Set<String> names, Token name, String what) {
    if (!names.contains(name.text())) {
      if (!guarded.getAsBoolean()) {
        throw new TemplateSyntaxException(
            name.line(), "no %s is named '%s'".formatted(what, name.text()));
      }
      unknown.add(name.text());
    }
  }

  private static boolean sign(Token token) {
    return token.is("-") || token.is("+");
  }
}
