package org.modeltracer.tokens;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * WordPiece as BERT defines it: text is cleaned and cut into words, each word into the longest
 * tokens from the left; a word that cannot be cut, or of over 100 characters, is unknown.
 *
 * <p>Control characters go; accents go (NFD without category Mn) and letters become small unless
 * the file says otherwise; a Chinese character or a punctuation mark is a word of its own. A GGUF
 * vocabulary writes a word's first token with ▁ before it, and others bare.
 */
final class WordPieceEncoding implements TextEncoding {
  private static final int LONGEST_WORD = 100;
  private static final int DEFAULT_SEPARATOR = 102;

  private final GgufVocabulary vocabulary;
  private final Map<String, Integer> ids;
  private final SpecialTokens specials;
  private final boolean lowercase;
  private final boolean stripAccents;
  private final int unknown;

  WordPieceEncoding(GgufVocabulary vocabulary) {
    this.vocabulary = vocabulary;
    this.ids = vocabulary.ids();
    this.specials = new SpecialTokens(vocabulary, null);
    this.lowercase = vocabulary.flag("normalizer.lowercase", true);
    this.stripAccents = vocabulary.flag("normalizer.strip_accents", lowercase);
    this.unknown =
        vocabulary
            .unk()
            .orElseThrow(() -> new UnsupportedTokenizer("the vocabulary has no unknown token"));
  }

  @Override
  public GgufVocabulary vocabulary() {
    return vocabulary;
  }

  @Override
  public int[] encode(String text, boolean addSpecial, boolean parseSpecial) {
    String sound = new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
    IntStream.Builder out = IntStream.builder();
    if (addSpecial) {
      vocabulary.bos().ifPresent(out::add);
    }
    for (SpecialTokens.Part part : specials.split(sound, parseSpecial)) {
      if (part.isToken()) {
        out.add(part.token());
      } else {
        words(part.text()).forEach(word -> cut(word).forEach(out::add));
      }
    }
    if (addSpecial) {
      vocabulary.id("seperator_token_id", DEFAULT_SEPARATOR).ifPresent(out::add);
    }
    return out.build().toArray();
  }

  @Override
  public int[] unreached() {
    return firsts().filter(id -> !reached(id)).toArray();
  }

  @Override
  public int learntTokens() {
    return (int) firsts().count();
  }

  /** Tokens that begin a word; all, none of them reached, where no token says that it does. */
  private IntStream firsts() {
    boolean marked = vocabulary.learnt().anyMatch(this::isFirst);
    return vocabulary.learnt().filter(id -> !marked || isFirst(id));
  }

  private boolean isFirst(int id) {
    return vocabulary.text(id).startsWith("▁");
  }

  private boolean reached(int id) {
    if (!isFirst(id)) {
      return false;
    }
    List<String> words = words(vocabulary.text(id).substring(1));
    return words.size() == 1 && cut(words.getFirst()).equals(List.of(id));
  }

  private List<String> words(String text) {
    var clean = new StringBuilder();
    text.codePoints()
        .forEach(
            c -> {
              if (isSpace(c)) {
                clean.append(' ');
              } else if (isChinese(c)) {
                clean.append(' ').appendCodePoint(c).append(' ');
              } else if (c != 0xfffd && !isOther(c)) {
                clean.appendCodePoint(c);
              }
            });
    String bare =
        stripAccents
            ? Normalizer.normalize(clean, Normalizer.Form.NFD).replaceAll("\\p{Mn}", "")
            : clean.toString();
    var words = new ArrayList<String>();
    var word = new StringBuilder();
    bare.codePoints()
        .map(c -> lowercase ? Character.toLowerCase(c) : c)
        .forEach(
            c -> {
              boolean alone = isPunctuation(c);
              if ((alone || c == ' ') && !word.isEmpty()) {
                words.add(word.toString());
                word.setLength(0);
              }
              if (alone) {
                words.add(Character.toString(c));
              } else if (c != ' ') {
                word.appendCodePoint(c);
              }
            });
    if (!word.isEmpty()) {
      words.add(word.toString());
    }
    return words;
  }

  private List<Integer> cut(String word) {
    if (word.codePointCount(0, word.length()) > LONGEST_WORD) {
      return List.of(unknown);
    }
    var tokens = new ArrayList<Integer>();
    for (int start = 0; start < word.length(); ) {
      int end = word.length();
      Integer id = null;
      while (end > start && id == null) {
        id = ids.get((start == 0 ? "▁" : "") + word.substring(start, end));
        end = id == null ? end - 1 : end;
      }
      if (id == null) {
        return List.of(unknown);
      }
      tokens.add(id);
      start = end;
    }
    return tokens;
  }

  private static boolean isSpace(int c) {
    return c == '\t'
        || c == '\n'
        || c == '\r'
        || c == 0x85
        || c == 0x0b
        || c == 0x0c
        || Character.isSpaceChar(c);
  }

  /** Categories Cc, Cf, Cn, Co and Cs. */
  private static boolean isOther(int c) {
    return switch (Character.getType(c)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.UNASSIGNED,
          Character.PRIVATE_USE,
          Character.SURROGATE ->
          true;
      default -> false;
    };
  }

  /** Everything in ASCII that is no letter, digit, space or control; elsewhere category P. */
  private static boolean isPunctuation(int c) {
    if (c < 0x80) {
      return c > ' ' && c < 0x7f && !Character.isLetterOrDigit(c);
    }
    return switch (Character.getType(c)) {
      case Character.CONNECTOR_PUNCTUATION,
          Character.DASH_PUNCTUATION,
          Character.START_PUNCTUATION,
          Character.END_PUNCTUATION,
          Character.INITIAL_QUOTE_PUNCTUATION,
          Character.FINAL_QUOTE_PUNCTUATION,
          Character.OTHER_PUNCTUATION ->
          true;
      default -> false;
    };
  }

  private static boolean isChinese(int c) {
    return (c >= 0x4e00 && c <= 0x9fff)
        || (c >= 0x3400 && c <= 0x4dbf)
        || (c >= 0x20000 && c <= 0x2a6df)
        || (c >= 0x2a700 && c <= 0x2b73f)
        || (c >= 0x2b740 && c <= 0x2b81f)
        || (c >= 0x2b820 && c <= 0x2ceaf)
        || (c >= 0xf900 && c <= 0xfaff)
        || (c >= 0x2f800 && c <= 0x2fa1f);
  }
}
