package org.modeltracer.tokens;

/**
 * Text to tokens, by a vocabulary's own data and the definition of its kind of tokenizer.
 *
 * <p>Text is taken as its UTF-8 bytes, an unpaired surrogate as a question mark. Instances may be
 * used from several threads.
 */
public sealed interface TextEncoding
    permits BpeEncoding, SentencePieceEncoding, UnigramEncoding, WordPieceEncoding {
  /**
   * The encoding of a vocabulary: {@code gpt2} byte-level BPE, {@code llama} SentencePiece BPE with
   * scores and byte fallback, {@code t5} SentencePiece unigram, {@code bert} WordPiece.
   *
   * @throws UnsupportedTokenizer if it is none of these, or lacks what its kind needs
   */
  static TextEncoding of(GgufVocabulary vocabulary) {
    return switch (vocabulary.model()) {
      case "gpt2" -> BpeEncoding.of(vocabulary);
      case "llama" -> new SentencePieceEncoding(vocabulary);
      case "t5" -> new UnigramEncoding(vocabulary);
      case "bert" -> new WordPieceEncoding(vocabulary);
      default ->
          throw new UnsupportedTokenizer(
              "tokenizer "
                  + vocabulary.model()
                  + " is not byte-level BPE (gpt2), SentencePiece (llama, t5) or WordPiece (bert)");
    };
  }

  /** The vocabulary. */
  GgufVocabulary vocabulary();

  /**
   * Ids of a text.
   *
   * @param addSpecial whether to add what the vocabulary wants around a text, such as BOS and EOS
   * @param parseSpecial whether names of control tokens in the text stand for these tokens
   */
  int[] encode(String text, boolean addSpecial, boolean parseSpecial);

  /** Number of tokens of text that were learnt, so that some text should become each of them. */
  int learntTokens();

  /** Ids of learnt tokens that their own text does not become. */
  int[] unreached();
}
