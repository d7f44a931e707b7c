package org.modeltracer.tokens;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * What a vocabulary says about the pre-tokenizer that it was trained with.
 *
 * <p>Merges are learnt within words, so no token that a merge makes is split by the pre-tokenizer
 * of the training, or the model would never have seen it. The earlier a merge, the more frequent
 * its token: only the first quarter is looked at, since late tokens of rare scripts are split by
 * some vocabularies' own pre-tokenizer (Qwen2's splits 1,672 Thai and Indic tokens, the first at 51
 * %; a wrong one splits tokens such as " 1" and "\n " at once).
 *
 * <p>The other way round, rules that join more than GPT-2's do leave tokens that GPT-2's would
 * split, such as {@code .append} or {@code ;} with a line feed. Published vocabularies have
 * hundreds to tens of thousands of them; one that has none was hardly trained with such rules.
 *
 * @param declared the pre-tokenizer that the file names, or {@code default}
 * @param tokens frequent tokens looked at
 * @param split those that the declared pre-tokenizer splits, the most frequent first
 * @param fitting pre-tokenizers that split none of them, one name for each set of rules; all of
 *     them when the vocabulary says nothing
 * @param joinsMore whether the declared pre-tokenizer keeps words that GPT-2's would split
 * @param confirming tokens of all merges that are such words
 * @param splitsMore whether the declared pre-tokenizer splits words that GPT-2's would keep; only a
 *     vocabulary with merges enough to have had such tokens shows that it was trained so
 * @param merged tokens that merges make
 */
public record PreTokenizerEvidence(
    String declared,
    int tokens,
    List<String> split,
    Set<String> fitting,
    boolean joinsMore,
    int confirming,
    boolean splitsMore,
    int merged) {
  private static final int FREQUENT = 4;

  private static final String PLAIN = "gpt-2";

  /** Words that some rules keep and GPT-2's split. */
  private static final List<String> JOINED =
      List.of(
          ".append",
          "(self",
          "\treturn",
          "\nfoo",
          ";\n",
          "/usr",
          "a1",
          "don't",
          "a b",
          "e\u0301",
          "'S",
          "…’s",
          "中文，",
          "--\n");

  /** Words that some rules split and GPT-2's keep. */
  private static final List<String> SPLIT =
      List.of("12", " 7", " 1234", "''", " ==", "\n\n", "    ");

  /** Copies the collections. */
  public PreTokenizerEvidence {
    split = List.copyOf(split);
    fitting = Collections.unmodifiableSet(new TreeSet<>(fitting));
  }

  /**
   * Tries all known pre-tokenizers on a byte-level vocabulary.
   *
   * @throws UnsupportedTokenizer if the declared pre-tokenizer is not known
   */
  public static PreTokenizerEvidence of(GgufVocabulary vocabulary) {
    return of(vocabulary, vocabulary.pre().orElse("default"));
  }

  static PreTokenizerEvidence of(GgufVocabulary vocabulary, String declared) {
    List<String> all = merged(vocabulary);
    List<String> words = all.subList(0, Math.ceilDiv(all.size(), FREQUENT));
    PreTokenizer rules = PreTokenizers.named(declared);
    List<String> split = split(rules, words);
    var fitting = new TreeSet<String>();
    Set<List<String>> tried = new LinkedHashSet<>();
    for (String name : new TreeSet<>(PreTokenizers.names())) {
      if (tried.add(PreTokenizers.expressions(name)) && splitsNone(name, words)) {
        fitting.add(name);
      }
    }
    return new PreTokenizerEvidence(
        declared,
        words.size(),
        split,
        fitting,
        joined(rules, JOINED) > 0,
        joined(rules, all),
        splits(rules, SPLIT),
        all.size());
  }

  /** Number of words that some rules keep whole and GPT-2's split. */
  private static int joined(PreTokenizer rules, List<String> words) {
    PreTokenizer plain = PreTokenizers.named(PLAIN);
    return (int)
        words.stream()
            .filter(word -> plain.split(word).size() > 1 && rules.split(word).size() == 1)
            .count();
  }

  private static boolean splits(PreTokenizer rules, List<String> words) {
    PreTokenizer plain = PreTokenizers.named(PLAIN);
    return words.stream()
        .anyMatch(word -> rules.split(word).size() > 1 && plain.split(word).size() == 1);
  }

  private static boolean splitsNone(String name, List<String> words) {
    PreTokenizer preTokenizer = PreTokenizers.named(name);
    return words.stream().allMatch(word -> preTokenizer.split(word).size() == 1);
  }

  private static List<String> split(PreTokenizer preTokenizer, List<String> words) {
    return words.stream().filter(word -> preTokenizer.split(word).size() > 1).toList();
  }

  /** Texts of the tokens that merges make, the earliest first, those that are whole characters. */
  private static List<String> merged(GgufVocabulary vocabulary) {
    Map<String, Integer> ids = new HashMap<>();
    for (int id = 0; id < vocabulary.size(); id++) {
      ids.putIfAbsent(vocabulary.text(id), id);
    }
    var words = new LinkedHashSet<String>();
    List<String> merges = vocabulary.merges().orElse(List.of());
    var made = new LinkedHashSet<Integer>();
    for (String line : merges) {
      Integer id = ids.get(MergeOrder.result(line));
      if (id != null && vocabulary.type(id) == TokenType.NORMAL) {
        made.add(id);
      }
    }
    made.forEach(id -> text(vocabulary.bytes(id)).ifPresent(words::add));
    return new ArrayList<>(words);
  }

  private static Optional<String> text(byte[] bytes) {
    try {
      return Optional.of(
          StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString());
    } catch (CharacterCodingException partOfCharacter) {
      return Optional.empty();
    }
  }
}
