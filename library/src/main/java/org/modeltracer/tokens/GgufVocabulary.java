package org.modeltracer.tokens;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import org.modeltracer.gguf.ArrayValue;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.Metadata;

/**
 * The tokens of a GGUF file and what it says of them, read as llama.cpp reads them.
 *
 * <p>Ids are 0 … {@link #size()} − 1; others throw {@link IndexOutOfBoundsException}.
 */
public final class GgufVocabulary {
  private static final String PREFIX = "tokenizer.ggml.";

  /** In byte-level BPE vocabularies without such a key, llama.cpp takes token 11. */
  private static final int DEFAULT_BPE_ID = 11;

  /** The id of [CLS] in BERT's own vocabularies. */
  private static final int DEFAULT_CLS_ID = 101;

  /** Some times the length of any model's longest token; encoding may take its square. */
  private static final int LONGEST_TOKEN = 1 << 14;

  private static final String SCORES = "scores";

  private final Metadata metadata;
  private final String model;
  private final String[] texts;
  private final TokenType[] types;
  private final Optional<ArrayValue> scores;

  private GgufVocabulary(Metadata metadata, String model, List<String> tokens) {
    this.metadata = metadata;
    this.model = model;
    this.texts = new String[tokens.size()];
    for (int id = 0; id < texts.length; id++) {
      String text = tokens.get(id);
      if (text.length() > LONGEST_TOKEN) {
        throw new UnsupportedTokenizer(
            String.format(
                Locale.ROOT,
                "token %d has %,d characters, which is not a token",
                id,
                text.length()));
      }
      texts[id] = text.isEmpty() ? "[EMPTY_" + id + "]" : text;
    }
    this.types = TokenTypes.read(metadata, texts);
    this.scores = metadata.array(PREFIX + SCORES).filter(array -> array.size() >= texts.length);
  }

  /**
   * The vocabulary of a file.
   *
   * @throws UnsupportedTokenizer if the file names no tokenizer, lists no tokens, or a token that
   *     is none
   */
  public static GgufVocabulary of(GgufFile file) {
    Metadata metadata = file.metadata();
    String model =
        metadata
            .string(PREFIX + "model")
            .orElseThrow(() -> new UnsupportedTokenizer("the file names no tokenizer"));
    return new GgufVocabulary(
        metadata,
        model,
        metadata
            .strings(PREFIX + "tokens")
            .orElseThrow(
                () -> new UnsupportedTokenizer("tokenizer " + model + " lists no tokens")));
  }

  /** Kind of tokenizer, such as {@code gpt2} (byte-level BPE) or {@code llama} (SentencePiece). */
  public String model() {
    return model;
  }

  /** Name of the rules that split text into words before BPE, if the file gives one. */
  public Optional<String> pre() {
    return metadata.string(PREFIX + "pre").filter(name -> !name.isEmpty());
  }

  /** Number of tokens. */
  public int size() {
    return texts.length;
  }

  /** A token as the file writes it: {@code Ġthe}, {@code ▁the}, {@code <0x0A>}. */
  public String text(int id) {
    return texts[id];
  }

  /** What a token is for. */
  public TokenType type(int id) {
    return types[id];
  }

  /** The merges of a BPE vocabulary in order of rank, each two token texts and a space between. */
  public Optional<List<String>> merges() {
    return metadata.strings(PREFIX + "merges");
  }

  /** The score of a token, 0 where the file gives none. */
  float score(int id) {
    return scores.isEmpty()
        ? 0
        : scores.get().elementType().isFloat()
            ? (float) scores.get().real(id)
            : scores.get().integer(id);
  }

  void requireScores() {
    if (scores.isEmpty()) {
      throw new UnsupportedTokenizer("tokenizer " + model + " needs scores, and the file has none");
    }
  }

  /** Ids of the tokens of text that are longer than one character. */
  IntStream learnt() {
    return IntStream.range(0, texts.length)
        .filter(
            id ->
                types[id] == TokenType.NORMAL
                    && texts[id].codePointCount(0, texts[id].length()) > 1);
  }

  /** Ids by text. */
  Map<String, Integer> ids() {
    Map<String, Integer> ids = HashMap.newHashMap(texts.length);
    for (int id = 0; id < texts.length; id++) {
      ids.putIfAbsent(texts[id], id);
    }
    return ids;
  }

  /** A truth value of the tokenizer. */
  boolean flag(String key, boolean otherwise) {
    return metadata.bool(PREFIX + key).orElse(otherwise);
  }

  /** A token by its key, or a default one; empty when neither is in the vocabulary. */
  OptionalInt id(String key, int otherwise) {
    return id(key, OptionalInt.of(otherwise));
  }

  /** What replaces characters before a text is cut; nothing where the file does not say. */
  CharacterMap characterMap() {
    long[] numbers = metadata.integers(PREFIX + "precompiled_charsmap").orElse(new long[0]);
    var bytes = new byte[numbers.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) numbers[i];
    }
    return new CharacterMap(bytes);
  }

  /** Token that begins a sequence. */
  public OptionalInt bos() {
    boolean none =
        pre().filter(name -> name.equals("glm4") || name.equals("chatglm-bpe")).isPresent();
    return id(
        "bos_token_id",
        none
            ? OptionalInt.empty()
            : model.equals("bert") ? OptionalInt.of(DEFAULT_CLS_ID) : defaultId(1));
  }

  /** Token that ends a sequence. */
  public OptionalInt eos() {
    return id("eos_token_id", model.equals("t5") ? OptionalInt.of(1) : defaultId(2));
  }

  /** Token for what cannot be expressed. */
  public OptionalInt unk() {
    return id(
        "unknown_token_id",
        switch (model) {
          case "llama" -> OptionalInt.of(0);
          case "t5" -> OptionalInt.of(2);
          case "bert" -> OptionalInt.of(100);
          default -> OptionalInt.empty();
        });
  }

  /** Whether sequences begin with {@link #bos()}; absent when the file does not say. */
  public Optional<Boolean> addBos() {
    return metadata.bool(PREFIX + "add_bos_token");
  }

  /** Whether sequences end with {@link #eos()}; absent when the file does not say. */
  public Optional<Boolean> addEos() {
    return metadata.bool(PREFIX + "add_eos_token");
  }

  /** Whether the vocabulary writes bytes in the letters of GPT-2. */
  public boolean byteLevel() {
    return model.equals("gpt2");
  }

  /** The bytes of text a token stands for; those of control tokens are their names. */
  public byte[] bytes(int id) {
    String text = texts[id];
    return switch (types[id]) {
      case CONTROL, USER_DEFINED, UNKNOWN -> text.getBytes(StandardCharsets.UTF_8);
      case UNUSED, UNDEFINED -> new byte[0];
      case BYTE ->
          text.matches("<0x[0-9A-Fa-f]{2}>")
              ? new byte[] {(byte) HexFormat.fromHexDigits(text, 3, 5)}
              : text.getBytes(StandardCharsets.UTF_8);
      case NORMAL ->
          byteLevel()
              ? byteLevelBytes(text)
              : text.replace('▁', ' ').getBytes(StandardCharsets.UTF_8);
    };
  }

  /** The text of a sequence of tokens; bytes that are not UTF-8 become U+FFFD. */
  public String decode(int... ids) {
    var bytes = new ByteArrayOutputStream();
    for (int id : ids) {
      bytes.writeBytes(bytes(id));
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  private static byte[] byteLevelBytes(String text) {
    var bytes = new ByteArrayOutputStream();
    text.codePoints()
        .forEach(
            letter -> {
              int b = ByteAlphabet.byteOf(letter);
              if (b >= 0) {
                bytes.write(b);
              } else {
                bytes.writeBytes(Character.toString(letter).getBytes(StandardCharsets.UTF_8));
              }
            });
    return bytes.toByteArray();
  }

  private OptionalInt defaultId(int sentencePiece) {
    return switch (model) {
      case "gpt2" -> OptionalInt.of(DEFAULT_BPE_ID);
      case "llama" -> OptionalInt.of(sentencePiece);
      default -> OptionalInt.empty();
    };
  }

  private OptionalInt id(String key, OptionalInt otherwise) {
    OptionalLong id = metadata.integer(PREFIX + key);
    if (id.isPresent() && id.getAsLong() >= 0 && id.getAsLong() < texts.length) {
      return OptionalInt.of((int) id.getAsLong());
    }
    return otherwise.isPresent() && otherwise.getAsInt() < texts.length
        ? otherwise
        : OptionalInt.empty();
  }
}
