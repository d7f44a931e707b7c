package org.modeltracer.sparse.patterns;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.modeltracer.llama.Vocabulary;

/**
 * The tokens of a text as kinds.
 *
 * @param kinds by position
 * @param repeated by position: whether the same token came earlier
 */
public record KeyTokens(List<KeyKind> kinds, List<Boolean> repeated) {

  /** Nothing is known of them. */
  public static KeyTokens unknown() {
    return new KeyTokens(List.of(), List.of());
  }

  /** Kinds of tokens; unknown where the vocabulary has no texts. */
  public static KeyTokens of(int[] ids, Vocabulary vocabulary) {
    if (!vocabulary.usable()) {
      return unknown();
    }
    var texts = new ArrayList<String>();
    var control = new ArrayList<Boolean>();
    for (int id : ids) {
      texts.add(vocabulary.text(id));
      control.add(vocabulary.isControl(id));
    }
    return of(ids, texts, control);
  }

  /**
   * Kinds of tokens.
   *
   * @param texts of each
   * @param control whether each steers the model
   */
  static KeyTokens of(int[] ids, List<String> texts, List<Boolean> control) {
    var kinds = new ArrayList<KeyKind>();
    var repeated = new ArrayList<Boolean>();
    Set<Integer> seen = new HashSet<>();
    boolean insideWord = false;
    for (int p = 0; p < ids.length; p++) {
      String text = texts.get(p);
      kinds.add(KeyKind.of(text, control.get(p), insideWord));
      repeated.add(!seen.add(ids[p]));
      insideWord =
          !control.get(p)
              && !text.isEmpty()
              && Character.isLetterOrDigit(text.codePointBefore(text.length()));
    }
    return new KeyTokens(List.copyOf(kinds), List.copyOf(repeated));
  }

  /** Number of tokens. */
  int size() {
    return kinds.size();
  }

  /** Whether the token at a position is of a kind. */
  boolean is(int position, KeyKind kind) {
    return kind == KeyKind.REPEATED ? repeated.get(position) : kinds.get(position) == kind;
  }
}
