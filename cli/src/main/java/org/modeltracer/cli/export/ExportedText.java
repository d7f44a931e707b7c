package org.modeltracer.cli.export;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.session.Generation;

/**
 * A prompt and what the model continued it with: the positions of an export.
 *
 * @param name what its files begin with, such as {@code prompt-0/}; empty for the only text
 * @param prompt tokens that were given
 * @param tokens those, and all that were generated after them
 * @param finish why the generation ended; null where none was asked for
 */
public record ExportedText(
    String name, int[] prompt, int[] tokens, Generation.@Nullable Finish finish) {

  /** A prompt alone. */
  public static ExportedText of(String name, int[] prompt) {
    return new ExportedText(name, prompt, prompt, null);
  }

  /**
   * The same, continued.
   *
   * @param asked tokens that were asked for, of which the context may have had room for fewer
   */
  public ExportedText continued(Generation generation, int asked) {
    List<Generation.Token> more = generation.tokens();
    int[] all = Arrays.copyOf(prompt, prompt.length + more.size());
    for (int i = 0; i < more.size(); i++) {
      all[prompt.length + i] = more.get(i).id();
    }
    boolean cut = generation.finish() == Generation.Finish.LENGTH && more.size() < asked;
    return new ExportedText(
        name, prompt, all, cut ? Generation.Finish.CONTEXT : generation.finish());
  }

  /** What the index says of it. */
  Map<String, @Nullable Object> toJson(Vocabulary vocabulary) {
    Map<String, @Nullable Object> json = new LinkedHashMap<>();
    json.put("name", name.replaceFirst("/$", ""));
    json.put("prompt_tokens", prompt.length);
    json.put("generated_tokens", tokens.length - prompt.length);
    json.put("finish", finish == null ? null : finish.name().toLowerCase(Locale.ROOT));
    json.put("text", vocabulary.detokenize(tokens, true));
    List<Object> list = new ArrayList<>();
    for (int i = 0; i < tokens.length; i++) {
      list.add(token(vocabulary.piece(tokens[i], true), i));
    }
    json.put("tokens", list);
    return json;
  }

  private Map<String, Object> token(byte[] piece, int position) {
    String text = new String(piece, StandardCharsets.UTF_8);
    Map<String, Object> token = new LinkedHashMap<>();
    token.put("position", position);
    token.put("id", tokens[position]);
    token.put("text", text);
    if (text.indexOf('\uFFFD') >= 0) {
      token.put("bytes", HexFormat.of().formatHex(piece));
    }
    token.put("generated", position >= prompt.length);
    return token;
  }
}
