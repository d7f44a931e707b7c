package org.modeltracer.tokens;

import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.Encoding;
import com.knuddels.jtokkit.api.GptBytePairEncodingParams;
import com.knuddels.jtokkit.api.IntArrayList;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A byte-level BPE vocabulary as a jtokkit encoding, with the token ids that llama.cpp gives.
 *
 * <p>Text is taken as its UTF-8 bytes, an unpaired surrogate as a question mark. Instances may be
 * used from several threads.
 */
public final class BpeEncoding implements TextEncoding {
  private static final Pattern WHOLE = Pattern.compile(".+", Pattern.DOTALL);

  /** From here on jtokkit takes another way, which does not prefer the leftmost of equal pairs. */
  private static final int LONG_WORD = 500;

  private final GgufVocabulary vocabulary;
  private final Merges merges;
  private final PreTokenizer preTokenizer;
  private final SpecialTokens specials;
  private final Encoding encoding;
  private final Map<String, Integer> ids = new HashMap<>();
  private final boolean wholeWords;
  private final boolean addBos;
  private final boolean addEos;

  private BpeEncoding(GgufVocabulary vocabulary, String pre, Merges merges) {
    this.vocabulary = vocabulary;
    this.merges = merges;
    this.preTokenizer = PreTokenizers.named(pre);
    this.specials = new SpecialTokens(vocabulary, strippingLeft(pre));
    this.encoding = encoding(merges);
    this.wholeWords = PreTokenizers.takesWholeWords(pre);
    this.addBos = vocabulary.addBos().orElse(PreTokenizers.beginsWithBos(pre));
    this.addEos = vocabulary.addEos().orElse(false);
    for (int id = 0; id < vocabulary.size(); id++) {
      ids.putIfAbsent(vocabulary.text(id), id);
    }
  }

  /**
   * The encoding of a vocabulary.
   *
   * @throws UnsupportedTokenizer if it is not byte-level BPE, or its pre-tokenizer is unknown
   */
  public static BpeEncoding of(GgufVocabulary vocabulary) {
    return of(vocabulary, vocabulary.pre().orElse("default"));
  }

  /**
   * The encoding of a vocabulary under a pre-tokenizer that need not be the one the file names.
   *
   * @throws UnsupportedTokenizer if it is not byte-level BPE, or the pre-tokenizer is unknown
   */
  public static BpeEncoding of(GgufVocabulary vocabulary, String pre) {
    if (!vocabulary.byteLevel()) {
      throw new UnsupportedTokenizer(
          "tokenizer " + vocabulary.model() + " is not byte-level BPE (gpt2)");
    }
    List<String> merges =
        vocabulary
            .merges()
            .orElseThrow(() -> new UnsupportedTokenizer("the vocabulary lists no merges"));
    return new BpeEncoding(vocabulary, pre, new Merges(merges));
  }

  /** The vocabulary. */
  @Override
  public GgufVocabulary vocabulary() {
    return vocabulary;
  }

  /**
   * Ids of a text as the beginning of a sequence: with BOS and EOS where the vocabulary wants them.
   *
   * @param parseSpecial whether names of control tokens in the text stand for these tokens
   */
  public int[] encode(String text, boolean parseSpecial) {
    return encode(text, true, parseSpecial);
  }

  /**
   * Ids of a text.
   *
   * @param addSpecial whether to add BOS and EOS where the vocabulary wants them
   * @param parseSpecial whether names of control tokens in the text stand for these tokens
   */
  @Override
  public int[] encode(String text, boolean addSpecial, boolean parseSpecial) {
    String sound = new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
    IntStream.Builder out = IntStream.builder();
    if (addSpecial && addBos) {
      vocabulary.bos().ifPresent(out::add);
    }
    for (SpecialTokens.Part part : specials.split(sound, parseSpecial)) {
      if (part.isToken()) {
        out.add(part.token());
      } else {
        preTokenizer.split(part.text()).forEach(word -> encodeWord(word, out));
      }
    }
    if (addSpecial && addEos) {
      vocabulary.eos().ifPresent(out::add);
    }
    return out.build().toArray();
  }

  /** Text of a sequence of tokens; bytes that are not UTF-8 become U+FFFD. */
  public String decode(int... ids) {
    return vocabulary.decode(ids);
  }

  /**
   * Number of listed merges that no text can ever reach.
   *
   * <p>A trained vocabulary has none or few; many mean that the merges are out of order.
   */
  public int deadMerges() {
    return (int) IntStream.range(0, merges.size()).filter(rank -> !merges.live(rank)).count();
  }

  /**
   * Number of tokens that merges list as their result but that no text can ever become.
   *
   * <p>A trained vocabulary has none; some list several merges for a token, not all of which apply.
   */
  public int deadTokens() {
    if (wholeWords) {
      return 0;
    }
    var all = new HashSet<String>();
    var live = new HashSet<String>();
    for (int rank = 0; rank < merges.size(); rank++) {
      if (ids.containsKey(merges.result(rank))) {
        all.add(merges.result(rank));
        if (merges.live(rank)) {
          live.add(merges.result(rank));
        }
      }
    }
    return all.size() - live.size();
  }

  /**
   * Ids of the tokens of text, of two letters and more, that no merge ever makes.
   *
   * <p>A trained vocabulary has hardly any: each token was added with its merge. Where whole words
   * are taken without merges, it is enough that a merge is listed.
   */
  @Override
  public int[] unreached() {
    var made = new HashSet<String>();
    for (int rank = 0; rank < merges.size(); rank++) {
      if (wholeWords || merges.live(rank)) {
        made.add(merges.result(rank));
      }
    }
    return composed().filter(id -> !made.contains(vocabulary.text(id))).toArray();
  }

  /** Number of tokens of text that are longer than one letter. */
  @Override
  public int learntTokens() {
    return (int) composed().count();
  }

  private IntStream composed() {
    return IntStream.range(0, vocabulary.size())
        .filter(id -> vocabulary.type(id) == TokenType.NORMAL && vocabulary.text(id).length() > 1);
  }

  private void encodeWord(String word, IntStream.Builder out) {
    byte[] bytes = word.getBytes(StandardCharsets.UTF_8);
    if (wholeWords) {
      Integer id = ids.get(ByteAlphabet.write(bytes));
      if (id != null) {
        out.add(id);
        return;
      }
    }
    if (bytes.length >= LONG_WORD) {
      merges.merge(ByteAlphabet.write(bytes)).forEach(token -> addToken(token, out));
      return;
    }
    IntArrayList ranks = encoding.encodeOrdinary(word);
    for (int i = 0; i < ranks.size(); i++) {
      int rank = ranks.get(i);
      addToken(
          rank < merges.size()
              ? merges.result(rank)
              : String.valueOf(ByteAlphabet.letter(rank - merges.size())),
          out);
    }
  }

  /** Adds the token of a text; without one, llama.cpp adds those of its ASCII letters. */
  private void addToken(String text, IntStream.Builder out) {
    Integer id = ids.get(text);
    if (id != null) {
      out.add(id);
      return;
    }
    for (int i = 0; i < text.length(); i++) {
      Integer single = text.charAt(i) < 0x80 ? ids.get(text.substring(i, i + 1)) : null;
      if (single != null) {
        out.add(single);
      }
    }
  }

  /** jtokkit's token numbers are its ranks: the merges in order, then the single bytes. */
  @SuppressWarnings("ArrayAsKeyOfSetOrMap") // jtokkit asks for it
  private static Encoding encoding(Merges merges) {
    var ranks = new HashMap<byte[], Integer>();
    for (int rank = 0; rank < merges.size(); rank++) {
      if (merges.live(rank)) {
        byte[] bytes = bytes(merges.result(rank));
        if (bytes != null) {
          ranks.put(bytes, rank);
        }
      }
    }
    for (int b = 0; b < 256; b++) {
      ranks.put(new byte[] {(byte) b}, merges.size() + b);
    }
    var params = new GptBytePairEncodingParams("gguf", WHOLE, ranks, Map.of());
    return Encodings.newLazyEncodingRegistry()
        .registerGptBytePairEncoding(params)
        .getEncoding("gguf")
        .orElseThrow();
  }

  /** The bytes that letters stand for, or null when one stands for none. */
  private static byte @Nullable [] bytes(String letters) {
    var bytes = new byte[letters.length()];
    for (int i = 0; i < bytes.length; i++) {
      int b = ByteAlphabet.byteOf(letters.charAt(i));
      if (b < 0) {
        return null;
      }
      bytes[i] = (byte) b;
    }
    return bytes;
  }

  /** Name of a token that swallows the white space before it, which the file cannot say. */
  private static @Nullable String strippingLeft(String pre) {
    return pre.contains("jina-v2-de") || pre.contains("jina-v2-es") || pre.contains("jina-v2-code")
        ? "<mask>"
        : null;
  }
}
