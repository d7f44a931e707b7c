package org.modeltracer.jinja;

import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * A chat template, read but not run.
 *
 * <p>The language is that of Jinja 2 as Hugging Face's tools run it: with {@code break} and {@code
 * continue}, and with {@code generation} blocks.
 *
 * @param names words that occur in its expressions and statements, variables among them
 * @param unknown filters and tests that do not exist, but are used only under conditions
 * @param marks what it writes around messages
 */
public record ChatTemplate(Set<String> names, Set<String> unknown, Marks marks) {
  /** The statement that ends each statement with a body, and those that may part the body. */
  private static final Map<String, List<String>> BODIES =
      Map.of(
          "for", List.of("endfor", "else"),
          "if", List.of("endif", "elif", "else"),
          "set", List.of("endset"),
          "macro", List.of("endmacro"),
          "call", List.of("endcall"),
          "filter", List.of("endfilter"),
          "block", List.of("endblock"),
          "with", List.of("endwith"),
          "autoescape", List.of("endautoescape"),
          "generation", List.of("endgeneration"));

  /** Copies the names. */
  public ChatTemplate {
    names = Collections.unmodifiableSet(new TreeSet<>(names));
    unknown = Collections.unmodifiableSet(new TreeSet<>(unknown));
  }

  /**
   * Reads a template.
   *
   * @throws TemplateSyntaxException when it is not well-formed, or names a filter, a test or a
   *     statement that does not exist
   */
  public static ChatTemplate parse(String text) {
    List<Token> tokens = new Lexer(text).tokens();
    var statements =
        new Statements(
            new Cursor(tokens.stream().filter(t -> t.kind() != Token.Kind.TEXT).toList()));
    statements.read();
    var names = new TreeSet<String>();
    for (Token token : tokens) {
      if (token.kind() == Token.Kind.NAME) {
        names.add(token.text());
      }
    }
    return new ChatTemplate(names, statements.expressions.unknown(), Marks.of(tokens));
  }

  /** A statement whose body has begun. */
  private record Open(String tag, int line, @Nullable String parted) {}

  /** Reads statements and keeps track of their bodies. */
  private static final class Statements {
    private final Cursor cursor;
    private final Expressions expressions;
    private final Deque<Open> open = new ArrayDeque<>();

    Statements(Cursor cursor) {
      this.cursor = cursor;
      expressions = new Expressions(cursor, () -> open.stream().anyMatch(o -> o.tag.equals("if")));
    }

    void read() {
      while (cursor.token().kind() != Token.Kind.END) {
        if (cursor.next().kind() == Token.Kind.PRINT_BEGIN) {
          expressions.tuple(true);
          cursor.expect(Token.Kind.PRINT_END, "'}}'");
        } else {
          if (statement()) {
            cursor.accept(":"); // Jinja lets those pass who think of Python
          }
          cursor.expect(Token.Kind.BLOCK_END, "'%}'");
        }
      }
      if (!open.isEmpty()) {
        Open last = open.peek();
        throw new TemplateSyntaxException(
            last.line,
            "'%s' is never closed by '%s'"
                .formatted(last.tag, BODIES.getOrDefault(last.tag, List.of("")).getFirst()));
      }
    }

    /** Reads a statement; says whether a body follows. */
    private boolean statement() {
      int bodies = open.size();
      Token tag = cursor.name("a statement");
      switch (tag.text()) {
        case "for" -> {
          targets();
          if (!cursor.acceptWord("in")) {
            throw cursor.unexpected(cursor.token(), "'in'");
          }
          expressions.tuple(false);
          if (cursor.acceptWord("if")) {
            expressions.expression(true);
          }
          cursor.acceptWord("recursive");
          begin(tag);
        }
        case "if" -> {
          begin(tag);
          expressions.tuple(false);
        }
        case "elif" -> {
          part(tag);
          expressions.tuple(false);
        }
        case "else" -> part(tag);
        case "set" -> set(tag);
        case "macro" -> {
          cursor.name("a macro");
          expressions.arguments();
          begin(tag);
        }
        case "call" -> {
          if (cursor.token().is("(")) {
            expressions.arguments();
          }
          expressions.expression(true);
          begin(tag);
        }
        case "filter" -> {
          expressions.filterName();
          begin(tag);
        }
        case "block" -> {
          cursor.name("a block");
          while (cursor.acceptWord("scoped") || cursor.acceptWord("required")) {}
          begin(tag);
        }
        case "with" -> {
          while (cursor.token().kind() == Token.Kind.NAME) {
            targets();
            cursor.expect("=");
            expressions.expression(true);
            if (!cursor.accept(",")) {
              break;
            }
          }
          begin(tag);
        }
        case "autoescape" -> {
          expressions.expression(true);
          begin(tag);
        }
        case "generation" -> begin(tag);
        case "print" -> expressions.tuple(true);
        case "break", "continue" -> {
          if (open.stream().noneMatch(o -> o.tag.equals("for"))) {
            throw new TemplateSyntaxException(tag.line(), "'" + tag.text() + "' outside of 'for'");
          }
        }
        default -> end(tag);
      }
      return open.size() > bodies || tag.word("elif") || tag.word("else");
    }

    private void set(Token tag) {
      targets();
      if (cursor.accept("=")) {
        expressions.tuple(true);
        return;
      }
      if (cursor.accept("|")) {
        expressions.filterName();
      }
      begin(tag);
    }

    /** Names that take values, with commas between: {@code a}, {@code ns.a}, {@code (a, b)}. */
    private void targets() {
      do {
        if (cursor.accept("(")) {
          targets();
          cursor.expect(")");
        } else {
          cursor.name("a variable");
          if (cursor.accept(".")) {
            cursor.name("an attribute");
          }
        }
      } while (cursor.accept(","));
    }

    private void begin(Token tag) {
      open.push(new Open(tag.text(), tag.line(), null));
    }

    private void part(Token tag) {
      Open body = open.peek();
      if (body == null || !BODIES.getOrDefault(body.tag, List.of()).contains(tag.text())) {
        throw new TemplateSyntaxException(tag.line(), "'" + tag.text() + "' belongs to no 'if'");
      }
      if ("else".equals(body.parted)) {
        throw new TemplateSyntaxException(tag.line(), "'" + tag.text() + "' after 'else'");
      }
      open.pop();
      open.push(new Open(body.tag, body.line, tag.text()));
    }

    private void end(Token tag) {
      if (BODIES.values().stream().noneMatch(ends -> ends.getFirst().equals(tag.text()))) {
        throw new TemplateSyntaxException(tag.line(), "no statement is named '" + tag.text() + "'");
      }
      Open body = open.poll();
      if (body == null) {
        throw new TemplateSyntaxException(tag.line(), "'" + tag.text() + "' closes nothing");
      }
      if (!BODIES.getOrDefault(body.tag, List.of("")).getFirst().equals(tag.text())) {
        throw new TemplateSyntaxException(
            tag.line(), "'%s' closes '%s' of line %d".formatted(tag.text(), body.tag, body.line));
      }
      if (tag.text().equals("endblock") && cursor.token().kind() == Token.Kind.NAME) {
        cursor.next();
      }
    }
  }
}
