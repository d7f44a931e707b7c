package org.modeltracer.jinja;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The control strings that a template writes around messages, such as {@code <|im_start|>}, found
 * without running it.
 *
 * <p>A turn ends with the first control string, or {@code eos_token}, that is written after a
 * message's content. Where any of these stands under a condition that names the assistant, only
 * those do: they are the ends of what a model writes.
 *
 * @param written all that are written, in order
 * @param aside those among them that are written under conditions about tools only
 * @param ends what ends a turn: control strings, and {@link #EOS}
 * @param begins control strings and {@link #BOS} that are written before anything else
 */
public record Marks(Set<String> written, Set<String> aside, Set<String> ends, List<String> begins) {
  /** The file's BOS, whatever its text. */
  public static final String BOS = "bos_token";

  /** The file's EOS, whatever its text. */
  public static final String EOS = "eos_token";

  /** What nobody writes as text: the shapes of tokens of published vocabularies. */
  private static final Pattern MARK =
      Pattern.compile(
          "<\\|[^|<>\\s]{1,64}\\|>|<｜[^｜<>\\s]{1,64}｜>|<[^|<>\\s/]{1,32}\\|>|<\\|[^|<>\\s/]{1,32}>"
              + "|</?(?:start|end)_of_[a-z_]{1,32}>|</?s>|<bos>|<eos>");

  /** Functions whose arguments are looked for in a text, not written. */
  private static final Set<String> SEARCHES =
      Set.of(
          "split",
          "rsplit",
          "replace",
          "startswith",
          "endswith",
          "strip",
          "lstrip",
          "rstrip",
          "find",
          "index",
          "count",
          "removeprefix",
          "removesuffix",
          "raise_exception");

  /** Copies the sets. */
  public Marks {
    written = inOrder(written);
    aside = inOrder(aside);
    ends = inOrder(ends);
    begins = List.copyOf(begins);
  }

  private static Set<String> inOrder(Set<String> marks) {
    return Collections.unmodifiableSet(new LinkedHashSet<>(marks));
  }

  static Marks of(List<Token> tokens) {
    var reader = new Reader(tokens);
    reader.read();
    var aside = new LinkedHashSet<>(reader.written);
    aside.removeAll(reader.plain);
    return new Marks(
        reader.written,
        aside,
        reader.assistantEnds.isEmpty() ? reader.ends : reader.assistantEnds,
        reader.begins);
  }

  /** An open {@code if}, or a loop. */
  private static final class Block {
    final boolean loop;
    boolean messages;
    boolean assistant;
    boolean tools;

    /** Whether content waits for its end in a branch before. */
    boolean waiting;

    Block(boolean loop) {
      this.loop = loop;
    }
  }

  /** Goes through a template once, as if every branch were taken. */
  private static final class Reader {
    final Set<String> written = new LinkedHashSet<>();
    final Set<String> plain = new LinkedHashSet<>();
    final Set<String> ends = new LinkedHashSet<>();
    final Set<String> assistantEnds = new LinkedHashSet<>();
    final List<String> begins = new ArrayList<>();
    private final Deque<Block> open = new ArrayDeque<>();
    private final List<Token> tokens;
    private boolean begun;
    private boolean waiting;
    private boolean answers;

    Reader(List<Token> tokens) {
      this.tokens = tokens;
    }

    void read() {
      for (int i = 0; i < tokens.size(); i++) {
        Token token = tokens.get(i);
        switch (token.kind()) {
          case TEXT -> text(token.text());
          case PRINT_BEGIN -> i = expression(i + 1);
          case BLOCK_BEGIN -> i = statement(i + 1);
          default -> {}
        }
      }
    }

    /** Reads up to the end of a statement or an expression, whose place it returns. */
    private int expression(int from) {
      int i = from;
      for (; !closes(tokens.get(i)); i++) {
        Token token = tokens.get(i);
        if (token.kind() == Token.Kind.STRING) {
          if (isContent(i)) {
            content();
          } else if (isWritten(i)) {
            text(token.text().replace("\\n", "\n"));
          }
        } else if (token.kind() == Token.Kind.NAME) {
          if (token.text().equals("content") || isContent(i)) {
            content();
          } else if (token.text().equals(BOS)) {
            begins(BOS);
          } else if (token.text().equals(EOS)) {
            begun = true;
            mark(EOS);
          }
        }
      }
      return i;
    }

    private int statement(int from) {
      Token tag = tokens.get(from);
      int end = from;
      while (!closes(tokens.get(end))) {
        end++;
      }
      List<Token> words = tokens.subList(from, end);
      switch (tag.text()) {
        case "if" -> {
          open.push(new Block(false));
          condition(words);
        }
        case "elif", "else" -> {
          Block block = open.peek();
          if (block != null && !block.loop) {
            block.waiting |= waiting;
            waiting = false;
            begun = true;
            condition(words);
          }
        }
        case "for" -> {
          var loop = new Block(true);
          loop.messages = words.stream().anyMatch(w -> w.text().contains("messages"));
          open.push(loop);
        }
        case "endif" -> {
          Block block = open.poll();
          waiting |= block != null && block.waiting;
        }
        case "endfor" -> {
          Block block = open.poll();
          waiting &= block == null || !block.messages;
        }
        case "set" -> set(from);
        default -> {}
      }
      return end;
    }

    /** What is put into a variable is written later, if at all; content stays content. */
    private void set(int from) {
      boolean waited = waiting;
      boolean late = begun;
      begun = true;
      int value = from;
      while (!closes(tokens.get(value)) && !tokens.get(value).is("=")) {
        value++;
      }
      expression(value);
      begun = late;
      waiting = waited;
    }

    private void condition(List<Token> words) {
      Block block = open.element();
      block.assistant = words.stream().anyMatch(w -> w.text().equals("assistant"));
      block.tools = words.stream().anyMatch(w -> w.text().contains("tool"));
    }

    private static boolean closes(Token token) {
      return token.kind() == Token.Kind.PRINT_END
          || token.kind() == Token.Kind.BLOCK_END
          || token.kind() == Token.Kind.END;
    }

    /** Whether a word reads a message's text: {@code .content}, {@code ['content']}, a part's. */
    private boolean isContent(int i) {
      Token token = tokens.get(i);
      Token before = tokens.get(i - 1);
      boolean part = token.text().equals("content") || token.text().equals("text");
      return part && (before.is(".") || before.is("["));
    }

    /** Whether a text literal is no key, and nothing that is looked for. */
    private boolean isWritten(int i) {
      Token before = tokens.get(i - 1);
      Token after = tokens.get(i + 1);
      boolean argument = before.is("(") && i > 1 && SEARCHES.contains(tokens.get(i - 2).text());
      boolean compared =
          before.is("==")
              || before.is("!=")
              || after.is("==")
              || after.is("!=")
              || after.word("in");
      return !before.is("[") && !argument && !compared;
    }

    private void content() {
      begun = true;
      waiting = true;
      answers = open.stream().anyMatch(block -> block.assistant);
    }

    private void text(String text) {
      Matcher matcher = MARK.matcher(text);
      int from = 0;
      while (matcher.find()) {
        between(text.substring(from, matcher.start()));
        begins(matcher.group());
        written.add(matcher.group());
        if (open.stream().noneMatch(block -> block.tools)) {
          plain.add(matcher.group());
        }
        mark(matcher.group());
        from = matcher.end();
      }
      between(text.substring(from));
    }

    /** Words after content that are no mark: the turn ends as plain text. */
    private void between(String text) {
      if (!text.isBlank()) {
        begun = true;
        waiting = false;
      }
    }

    private void begins(String mark) {
      if (!begun) {
        begins.add(mark);
      }
    }

    private void mark(String mark) {
      if (waiting) {
        ends.add(mark);
        if (answers) {
          assistantEnds.add(mark);
        }
        waiting = false;
      }
    }
  }
}
