package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.testing.SummarySchema;
import org.modeltracer.testing.TinyModels;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;

/** The KV cache from the command line. */
class CacheTest {
  @TempDir Path folder;

  private JsonNode run(Object... more) throws IOException {
    Object[] args = Arrays.copyOf(more, more.length + 5);
    System.arraycopy(more, 0, args, 5, more.length);
    args[0] = "run";
    args[1] = "-m";
    args[2] = Cli.MODEL;
    args[3] = "--out";
    args[4] = folder;
    Cli cli = Cli.run(args);
    assertThat(cli.code()).as(cli.err()).isZero();
    String summary = Files.readString(folder.resolve("summary.json"));
    assertThat(SummarySchema.errors(summary)).isEmpty();
    return Json.mapper().readTree(summary);
  }

  private static long count(JsonNode summary, String kind) {
    return summary
        .get("anomalies")
        .get("list")
        .valueStream()
        .filter(a -> a.get("kind").asString().equals(kind))
        .count();
  }

  @Test
  void aFullContextEndsOrIsShifted() throws IOException {
    Object[] hot = {"-p", "public class", "-n", 300, "-c", 256, "--temp", 1.5, "-s", 3};
    JsonNode ended = run(hot);
    assertThat(ended.get("prompt").get("finish").asString()).isEqualTo("context");
    assertThat(count(ended, "kv_exhausted")).isEqualTo(1);
    assertThat(ended.get("anomalies").get("list").valueStream())
        .anyMatch(
            a ->
                a.get("kind").asString().equals("kv_exhausted")
                    && a.get("severity").asString().equals("warning"));

    Object[] shifting = Arrays.copyOf(hot, hot.length + 3);
    System.arraycopy(new Object[] {"--context-shift", "--keep", 5}, 0, shifting, hot.length, 3);
    JsonNode shifted = run(shifting);
    assertThat(shifted.get("prompt").get("finish").asString()).isEqualTo("length");
    assertThat(shifted.get("prompt").get("generated_tokens").asInt()).isEqualTo(300);
    int shifts = shifted.get("prompt").get("context_shifts").asInt();
    assertThat(shifts).isEqualTo(1);
    JsonNode cache = shifted.get("kv_cache");
    // The token that begins the text and five more are kept; half of the other 249 go.
    assertThat(cache.get("evictions").asInt()).isEqualTo(124);
    assertThat(cache.get("peak_cells").asInt()).isEqualTo(255);
    assertThat(cache.get("high_eviction").asBoolean()).isTrue();
    assertThat(cache.get("thrashing").asBoolean()).isFalse();
    assertThat(count(shifted, "kv_exhausted")).isZero();
  }

  @Test
  void promptsRunInTurnAndReuseWhatIsThere() throws IOException {
    String common = "The quick brown fox jumps over the lazy dog. ";
    Path one = Files.writeString(folder.resolve("one"), common + "And then it sleeps.\n");
    Path two = Files.writeString(folder.resolve("two"), common + "But it never comes back.\n");
    JsonNode prompt = run("-f", one, "-f", two, "-f", one, "-n", 4, "--temp", 0).get("prompt");
    JsonNode each = prompt.get("prompts");
    assertThat(each).hasSize(3);
    assertThat(each.get(0).get("reused_tokens").asInt()).isZero();
    int tokens = 0;
    int reused = 0;
    for (JsonNode p : each) {
      tokens += p.get("tokens").asInt();
      reused += p.get("reused_tokens").asInt();
      assertThat(p.get("hit_rate").asDouble())
          .isEqualTo(p.get("reused_tokens").asDouble() / p.get("tokens").asInt());
    }
    assertThat(each.get(1).get("reused_tokens").asInt()).isGreaterThan(10);
    assertThat(each.get(2).get("generated_text")).isEqualTo(each.get(0).get("generated_text"));
    assertThat(each.get(2).get("sha256")).isEqualTo(each.get(0).get("sha256"));
    assertThat(prompt.get("tokens").asInt()).isEqualTo(tokens);
    assertThat(prompt.get("reused_tokens").asInt()).isEqualTo(reused);

    // The second text is the first without its beginning.
    Object[] cut = {"-p", "Some words before.\n" + common, "-p", common, "-n", 2, "--cache-reuse"};
    int whole = reused(cut, 0);
    assertThat(reused(cut, 8)).isGreaterThan(whole + 8);
  }

  private int reused(Object[] line, int chunk) throws IOException {
    Object[] args = Arrays.copyOf(line, line.length + 1);
    args[line.length] = chunk;
    return run(args).get("prompt").get("prompts").get(1).get("reused_tokens").asInt();
  }

  @Test
  void contentsAreReadOnRequest() throws IOException {
    JsonNode none = run("-p", "x", "-n", 3).get("kv_cache").get("analysis");
    assertThat(none.get("contents").isNull()).isTrue();
    JsonNode read = run("-p", "x", "-n", 3, "--kv-stats").get("kv_cache").get("analysis");
    int used = read.get("caches").get(0).get("cells_used").asInt();
    assertThat(read.get("contents").get("layers")).hasSize(8);
    assertThat(read.get("contents").get("layers").valueStream())
        .allMatch(
            l ->
                l.get("cells").asInt() == used
                    && l.get("stats").get("count").asInt() == 128 * used
                    && l.get("stats").get("std").asDouble() > 0);
    assertThat(read.get("contents").get("poisoned_cells").asInt()).isZero();
  }

  @Test
  void whatTheCacheCannotDoIsRefused() throws IOException {
    Path mamba = TinyModels.of("mamba").write(folder);
    for (String option : new String[] {"--context-shift", "--cache-reuse=4"}) {
      Cli cli = Cli.run("run", "-m", mamba, "--tokens", "1,2", "-n", 1, option, "--out", folder);
      assertThat(cli.code()).as(cli.err()).isEqualTo(2);
      UsageTest.assertOneLine(cli);
      assertThat(cli.message()).contains(option.split("=")[0] + ": positions in this model's");
    }
    Cli unread = Cli.run("run", "-m", mamba, "--tokens", "1,2", "--kv-stats", "--out", folder);
    assertThat(unread.code()).isEqualTo(2);
    UsageTest.assertOneLine(unread);
    Cli keep = Cli.run("run", "-m", Cli.MODEL, "-p", "x", "--keep", -2, "--out", folder);
    assertThat(keep.message()).contains("--keep must be at least -1, not -2");
  }
}
