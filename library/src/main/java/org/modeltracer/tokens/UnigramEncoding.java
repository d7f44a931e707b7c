package org.modeltracer.tokens;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * SentencePiece unigram: of all ways to cut the normalized text into tokens, the one whose scores
 * (log-probabilities) sum highest.
 *
 * <p>A character that is no token costs the least score of any token less 10; neighbouring unknown
 * characters are one unknown token.
 */
final class UnigramEncoding implements TextEncoding {
  private static final double UNKNOWN_PENALTY = 10;

  private final GgufVocabulary vocabulary;
  private final Map<String, Integer> pieces = new HashMap<>();
  private final SpecialTokens specials;
  private final CharacterMap characters;
  private final int longest;
  private final int unknown;
  private final double unknownScore;

  UnigramEncoding(GgufVocabulary vocabulary) {
    vocabulary.requireScores();
    this.vocabulary = vocabulary;
    this.specials = new SpecialTokens(vocabulary, null);
    this.characters = vocabulary.characterMap();
    this.unknown =
        vocabulary
            .unk()
            .orElseThrow(() -> new UnsupportedTokenizer("the vocabulary has no unknown token"));
    double least = 0;
    int most = 0;
    for (int id = 0; id < vocabulary.size(); id++) {
      TokenType type = vocabulary.type(id);
      if (type == TokenType.NORMAL || type == TokenType.USER_DEFINED) {
        pieces.putIfAbsent(vocabulary.text(id), id);
        most = Math.max(most, vocabulary.text(id).length());
      }
      if (type == TokenType.NORMAL) {
        least = Math.min(least, vocabulary.score(id));
      }
    }
    this.longest = most;
    this.unknownScore = least - UNKNOWN_PENALTY;
  }

  @Override
  public GgufVocabulary vocabulary() {
    return vocabulary;
  }

  @Override
  public int[] encode(String text, boolean addSpecial, boolean parseSpecial) {
    String sound = new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
    IntStream.Builder out = IntStream.builder();
    if (addSpecial && vocabulary.addBos().orElse(false)) {
      vocabulary.bos().ifPresent(out::add);
    }
    for (SpecialTokens.Part part : specials.split(sound, parseSpecial)) {
      if (part.isToken()) {
        out.add(part.token());
      } else {
        Arrays.stream(best(normalize(part.text()))).forEach(out::add);
      }
    }
    if (addSpecial && vocabulary.addEos().orElse(true)) {
      vocabulary.eos().ifPresent(out::add);
    }
    return out.build().toArray();
  }

  @Override
  public int[] unreached() {
    return vocabulary
        .learnt()
        .filter(id -> !Arrays.equals(best(vocabulary.text(id)), new int[] {id}))
        .toArray();
  }

  @Override
  public int learntTokens() {
    return (int) vocabulary.learnt().count();
  }

  private String normalize(String text) {
    String mapped = characters.apply(text);
    boolean merged = vocabulary.flag("remove_extra_whitespaces", false);
    String spaced = merged ? mapped.replaceAll("^ +| +$", "").replaceAll(" +", " ") : mapped;
    if (spaced.isEmpty()) {
      return "";
    }
    boolean prefix = !spaced.isBlank() && vocabulary.flag("add_space_prefix", false);
    return ((prefix ? " " : "") + spaced).replace(' ', '▁');
  }

  /** The best cut of a normalized text, by Viterbi's algorithm; the earliest found of equals. */
  private int[] best(String text) {
    int length = text.length();
    var scores = new double[length + 1];
    var from = new int[length + 1];
    var tokens = new int[length + 1];
    Arrays.fill(scores, Double.NEGATIVE_INFINITY);
    scores[0] = 0;
    for (int start = 0, after; start < length; start = after) {
      after = text.offsetByCodePoints(start, 1);
      boolean single = false;
      for (int end = after; end <= length && end - start <= longest; end++) {
        Integer id = pieces.get(text.substring(start, end));
        if (id != null) {
          single |= end == after;
          double own = vocabulary.type(id) == TokenType.USER_DEFINED ? 0 : vocabulary.score(id);
          if (scores[start] + own > scores[end]) {
            scores[end] = scores[start] + own;
            from[end] = start;
            tokens[end] = id;
          }
        }
      }
      if (!single && scores[start] + unknownScore > scores[after]) {
        scores[after] = scores[start] + unknownScore;
        from[after] = start;
        tokens[after] = unknown;
      }
    }
    var cut = new ArrayDeque<Integer>();
    for (int end = length; end > 0; end = from[end]) {
      if (cut.isEmpty() || tokens[end] != unknown || cut.getFirst() != unknown) {
        cut.addFirst(tokens[end]);
      }
    }
    return cut.stream().mapToInt(Integer::intValue).toArray();
  }
}
