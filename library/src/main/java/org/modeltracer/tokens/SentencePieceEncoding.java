package org.modeltracer.tokens;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.stream.IntStream;

/**
 * SentencePiece BPE: the two neighbours whose union has the best score become one, the leftmost of
 * equals first; a character without a token becomes its UTF-8 bytes ({@code <0x0A>}).
 *
 * <p>Spaces are written ▁, and one is put before a text unless {@code add_space_prefix} is false.
 */
final class SentencePieceEncoding implements TextEncoding {
  private record Pair(float score, int left, int right, int length) {}

  private static final Comparator<Pair> BEST =
      Comparator.comparingDouble((Pair pair) -> -pair.score).thenComparingInt(Pair::left);

  private final GgufVocabulary vocabulary;
  private final Map<String, Integer> ids;
  private final SpecialTokens specials;

  SentencePieceEncoding(GgufVocabulary vocabulary) {
    vocabulary.requireScores();
    this.vocabulary = vocabulary;
    this.ids = vocabulary.ids();
    this.specials = new SpecialTokens(vocabulary, null);
  }

  @Override
  public GgufVocabulary vocabulary() {
    return vocabulary;
  }

  @Override
  public int[] encode(String text, boolean addSpecial, boolean parseSpecial) {
    String sound = new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
    IntStream.Builder out = IntStream.builder();
    if (addSpecial && vocabulary.addBos().orElse(true)) {
      vocabulary.bos().ifPresent(out::add);
    }
    boolean first = true;
    for (SpecialTokens.Part part : specials.split(sound, parseSpecial)) {
      if (part.isToken()) {
        out.add(part.token());
      } else {
        boolean prefix = first && vocabulary.flag("add_space_prefix", true);
        merge((prefix ? " " : "") + part.text(), out);
      }
      first = part.isToken();
    }
    if (addSpecial && vocabulary.addEos().orElse(false)) {
      vocabulary.eos().ifPresent(out::add);
    }
    return out.build().toArray();
  }

  /** Those too that have no parts with a score as good, which must have been learnt before them. */
  @Override
  public int[] unreached() {
    return vocabulary.learnt().filter(id -> !reached(id)).toArray();
  }

  @Override
  public int learntTokens() {
    return (int) vocabulary.learnt().count();
  }

  private boolean reached(int id) {
    IntStream.Builder out = IntStream.builder();
    merge(vocabulary.text(id), out);
    int[] made = out.build().toArray();
    return made.length == 1 && made[0] == id && hasEarlierParts(id);
  }

  private boolean hasEarlierParts(int id) {
    String text = vocabulary.text(id);
    float score = vocabulary.score(id);
    return IntStream.range(1, text.length())
        .filter(i -> !Character.isLowSurrogate(text.charAt(i)))
        .anyMatch(i -> earlier(text.substring(0, i), score) && earlier(text.substring(i), score));
  }

  /** Single characters are there from the start, whatever their score. */
  private boolean earlier(String part, float score) {
    Integer id = ids.get(part);
    return part.codePointCount(0, part.length()) == 1
        || (id != null && vocabulary.score(id) >= score);
  }

  private void merge(String text, IntStream.Builder out) {
    List<String> parts = new ArrayList<>();
    text.replace(' ', '▁').codePoints().forEach(c -> parts.add(Character.toString(c)));
    int[] next = IntStream.range(1, parts.size() + 1).toArray();
    int[] previous = IntStream.range(-1, parts.size() - 1).toArray();
    var queue = new PriorityQueue<>(BEST);
    for (int i = 0; i + 1 < parts.size(); i++) {
      offer(parts, i, i + 1, queue);
    }
    while (!queue.isEmpty()) {
      Pair pair = queue.remove();
      String left = parts.get(pair.left);
      String right = parts.get(pair.right);
      if (left.isEmpty() || right.isEmpty() || left.length() + right.length() != pair.length) {
        continue;
      }
      parts.set(pair.left, left + right);
      parts.set(pair.right, "");
      next[pair.left] = next[pair.right];
      if (next[pair.left] < parts.size()) {
        previous[next[pair.left]] = pair.left;
        offer(parts, pair.left, next[pair.left], queue);
      }
      if (previous[pair.left] >= 0) {
        offer(parts, previous[pair.left], pair.left, queue);
      }
    }
    parts.stream().filter(part -> !part.isEmpty()).forEach(part -> add(part, out));
  }

  private void offer(List<String> parts, int left, int right, PriorityQueue<Pair> queue) {
    String both = parts.get(left) + parts.get(right);
    Integer id = ids.get(both);
    if (id != null) {
      queue.add(new Pair(vocabulary.score(id), left, right, both.length()));
    }
  }

  private void add(String part, IntStream.Builder out) {
    Integer id = ids.get(part);
    if (id != null) {
      out.add(id);
      return;
    }
    for (byte b : part.getBytes(StandardCharsets.UTF_8)) {
      Integer token = ids.get("<0x%02X>".formatted(b & 0xff));
      if (token != null) {
        out.add(token);
      } else {
        vocabulary.unk().ifPresent(out::add);
      }
    }
  }
}
