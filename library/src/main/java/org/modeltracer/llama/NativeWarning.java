package org.modeltracer.llama;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A warning of llama.cpp's, and what it means for who runs the model.
 *
 * @param text llama.cpp's words, which may hold a file's own
 * @param meaning a sentence; empty where it says nothing but itself
 * @param more how many others of the same kind there were
 * @param harmless whether llama.cpp goes on as the file means it
 */
public record NativeWarning(String text, String meaning, int more, boolean harmless) {
  /** How many of a kind are told apart. */
  private static final int SHOWN = 3;

  /** Frames and advice around a warning, and what is no fault of a file. */
  private static final List<String> SILENT =
      List.of(
          "(?:\\W*)",
          ".*capacity of the model will not be utilized.*",
          ".*buffer type.*using.*",
          "adding \\d+ dummy tokens");

  private static final String HARMLESS = "special_eo[stm]_id is not in special_eog_ids.*";

  private static final Map<String, String> MEANINGS = meanings();

  private static Map<String, String> meanings() {
    var words = new LinkedHashMap<String, String>();
    words.put(
        "control-looking token.*",
        "the file types it as ordinary text; llama.cpp takes it for special all the same, other"
            + " programs may cut it into pieces");
    words.put(
        "bad special token.*",
        "the file's id is not a token: llama.cpp goes on with a token of its own choice, which may"
            + " be ordinary text");
    words.put(
        "default special token.*",
        "neither the file nor llama.cpp's usual choice names a token of this vocabulary: the model"
            + " goes without");
    words.put(
        HARMLESS,
        "llama.cpp does not know the file's end token by its name, and stops there all the same");
    words.put(
        "missing pre-tokenizer type.*",
        "tokenizer.ggml.pre is missing: text is split by rules that may not be the model's");
    words.put(
        ".*GENERATION QUALITY WILL BE DEGRADED.*",
        "text becomes tokens that the model did not learn");
    words.put(
        "model has unused tensor.*",
        "llama.cpp does not use this tensor: what it holds has no effect");
    words.put("setting token '.*", "the file's type of the token is not used");
    words.put(
        ".*possible training context overflow.*",
        "positions beyond the trained context were never learned");
    words.put(
        "special_eog_ids contains.*",
        "llama.cpp does not stop at that token, as this kind of model writes it within a turn");
    words.put(
        "Added a BOS token.*",
        "the text begins with the token that the tokenizer adds: leave it out of the text");
    return words;
  }

  /** Warnings from lines, in order: frames left out, the same words once, few of a kind. */
  static List<NativeWarning> of(List<String> lines) {
    var kinds = new LinkedHashMap<String, List<String>>();
    for (String said : lines) {
      String line = said.replaceAll("\\s+", " ");
      if (SILENT.stream().noneMatch(line::matches)) {
        List<String> same = kinds.computeIfAbsent(kind(line), key -> new ArrayList<>());
        if (!same.contains(line)) {
          same.add(line);
        }
      }
    }
    var warnings = new ArrayList<NativeWarning>();
    kinds.forEach(
        (kind, same) -> {
          List<String> shown = same.subList(0, Math.min(SHOWN, same.size()));
          for (String line : shown) {
            int more = line.equals(shown.getLast()) ? same.size() - shown.size() : 0;
            warnings.add(new NativeWarning(line, meaning(line), more, line.matches(HARMLESS)));
          }
        });
    return List.copyOf(warnings);
  }

  /** What is the same in two warnings that differ in a name or a number. */
  private static String kind(String line) {
    return line.replaceAll("'.*'|\\S*\\d\\S*", "#");
  }

  private static String meaning(String line) {
    return MEANINGS.entrySet().stream()
        .filter(entry -> line.matches("(?s)" + entry.getKey()))
        .map(Map.Entry::getValue)
        .findFirst()
        .orElse("");
  }

  /** One sentence: the warning, what it means, how many more there are. */
  @Override
  public String toString() {
    String words = text.replaceAll("[\\s.*]+$", "").replaceAll("^[\\s*]+", "");
    return words
        + (meaning.isEmpty() ? "" : ": " + meaning)
        + (more == 0 ? "" : " (and %d more like it)".formatted(more));
  }
}
