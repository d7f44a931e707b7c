package org.modeltracer.jinja;

import java.util.List;

/** The place in the pieces of a template that is being read. */
final class Cursor {
  private final List<Token> tokens;
  private int at;

  Cursor(List<Token> tokens) {
    this.tokens = tokens;
  }

  Token token() {
    return tokens.get(at);
  }

  /** The piece after the present one. */
  Token peek() {
    return tokens.get(Math.min(at + 1, tokens.size() - 1));
  }

  /** The present piece; goes on to the one after it, but never past the end. */
  Token next() {
    Token token = token();
    at = Math.min(at + 1, tokens.size() - 1);
    return token;
  }

  boolean accept(String operator) {
    return token().is(operator) && next() != null;
  }

  boolean acceptWord(String name) {
    return token().word(name) && next() != null;
  }

  void expect(String operator) {
    if (!accept(operator)) {
      throw unexpected(token(), "'" + operator + "'");
    }
  }

  void expect(Token.Kind kind, String what) {
    if (token().kind() != kind) {
      throw unexpected(token(), what);
    }
    next();
  }

  Token name(String what) {
    if (token().kind() != Token.Kind.NAME) {
      throw unexpected(token(), "the name of " + what);
    }
    return next();
  }

  TemplateSyntaxException unexpected(Token token, String wanted) {
    return new TemplateSyntaxException(
        token.line(), "expected " + wanted + ", not " + token.shown());
  }

  TemplateSyntaxException wrong(String message) {
    return new TemplateSyntaxException(token().line(), message);
  }
}
