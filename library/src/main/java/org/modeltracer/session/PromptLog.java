package org.modeltracer.session;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.ToIntFunction;
import org.jspecify.annotations.Nullable;
import org.modeltracer.weights.Hashes;

/** The prompts of a run, and what was generated after each. */
public final class PromptLog {
  private final List<Entry> entries = new ArrayList<>();

  private static final class Entry {
    final int[] prompt;
    final @Nullable String sent;
    @Nullable Generation generation;

    Entry(int[] prompt, @Nullable String sent) {
      this.prompt = prompt.clone();
      this.sent = sent;
    }
  }

  /** A prompt is about to run. */
  public void begin(int[] prompt) {
    begin(prompt, null);
  }

  /** A prompt is about to run, whose text a chat template has made. */
  public void begin(int[] prompt, @Nullable String sent) {
    entries.add(new Entry(prompt, sent));
  }

  /** What came of the prompt begun last. */
  public void end(Generation generation) {
    entries.getLast().generation = generation;
  }

  /** What was generated, prompt by prompt. */
  public List<Generation> generations() {
    return entries.stream().map(e -> e.generation).filter(Objects::nonNull).toList();
  }

  Map<String, @Nullable Object> prompts() {
    if (entries.size() == 1) {
      return json(entries.getFirst());
    }
    Map<String, @Nullable Object> all = new LinkedHashMap<>();
    int tokens = entries.stream().mapToInt(e -> e.prompt.length).sum();
    all.put("tokens", tokens);
    all.put("sha256", hash(entries));
    int looked = sum(Generation::promptTokens);
    int reused = sum(Generation::reusedTokens);
    all.put("reused_tokens", reused);
    all.put("hit_rate", looked == 0 ? null : (double) reused / looked);
    all.put("generated_tokens", sum(g -> g.tokens().size()));
    all.put("context_shifts", sum(Generation::shifts));
    all.put("prompts", entries.stream().map(PromptLog::json).toList());
    return all;
  }

  private static Map<String, @Nullable Object> json(Entry entry) {
    Map<String, @Nullable Object> text = new LinkedHashMap<>();
    text.put("tokens", entry.prompt.length);
    text.put("sha256", hash(List.of(entry)));
    if (entry.sent != null) {
      text.put("text", entry.sent);
    }
    Generation g = entry.generation;
    if (g != null) {
      text.put("reused_tokens", g.reusedTokens());
      text.put("hit_rate", (double) g.reusedTokens() / g.promptTokens());
      text.put("generated_tokens", g.tokens().size());
      text.put("generated_text", g.text());
      text.put("finish", g.finish().name().toLowerCase(Locale.ROOT));
      text.put("context_shifts", g.shifts());
    }
    return text;
  }

  /** Hash of the token ids as little-endian int32, the same however the prompts were given. */
  private static String hash(List<Entry> entries) {
    var digest = Hashes.sha256();
    for (Entry entry : entries) {
      var ids = ByteBuffer.allocate(4 * entry.prompt.length).order(ByteOrder.LITTLE_ENDIAN);
      ids.asIntBuffer().put(entry.prompt);
      digest.update(ids);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Seconds, and tokens per second, while traced. */
  void timing(Map<String, Object> timing) {
    List<Generation> all = generations();
    if (all.isEmpty()) {
      return;
    }
    double seconds = all.stream().mapToDouble(Generation::generationSeconds).sum();
    int generated = sum(g -> Math.max(0, g.tokens().size() - 1));
    timing.put("prompt_seconds", all.stream().mapToDouble(Generation::promptSeconds).sum());
    timing.put("generation_seconds", seconds);
    timing.put("tokens_per_second", seconds > 0 ? generated / seconds : Double.NaN);
  }

  private int sum(ToIntFunction<Generation> number) {
    return generations().stream().mapToInt(number).sum();
  }
}
