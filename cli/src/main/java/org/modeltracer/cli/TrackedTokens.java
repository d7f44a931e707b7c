package org.modeltracer.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.llama.Vocabulary;

/** Tokens that a user names by id or by text. */
final class TrackedTokens {
  private final Vocabulary vocabulary;

  TrackedTokens(Vocabulary vocabulary) {
    this.vocabulary = vocabulary;
  }

  /** Ids of tokens: digits are an id, anything else is a text that is one token. */
  List<Integer> ids(List<String> names) {
    var ids = new ArrayList<Integer>();
    names.forEach(name -> ids.add(name.matches("\\d{1,9}") ? id(name) : token(name)));
    return ids;
  }

  private int id(String name) {
    int id = Integer.parseInt(name);
    if (id >= vocabulary.size()) {
      throw new CliException(
          ExitCode.USAGE,
          "--track: token %d is outside the vocabulary of %d tokens"
              .formatted(id, vocabulary.size()));
    }
    return id;
  }

  private int token(String text) {
    int[] tokens = vocabulary.tokenize(text, false, true);
    if (tokens.length == 1) {
      return tokens[0];
    }
    String parts =
        Arrays.stream(tokens)
            .mapToObj(t -> "'" + vocabulary.text(t) + "' (" + t + ")")
            .collect(Collectors.joining(", "));
    throw new CliException(
        ExitCode.USAGE,
        "--track: '%s' is not one token but %s"
            .formatted(text, tokens.length == 0 ? "none" : tokens.length + ": " + parts));
  }
}
