package org.modeltracer.cli.terminal;

import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.output.JsonHead;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.Quantization;
import org.modeltracer.language.LogitDivergence;
import org.modeltracer.language.Perplexity;

/**
 * Says how well a model predicts a text.
 *
 * @param file the model
 * @param window tokens per window
 * @param perplexity of the model
 * @param divergence from a reference's predictions; null where there are none
 */
public record PerplexityReport(
    GgufFile file, int window, Perplexity perplexity, @Nullable LogitDivergence divergence) {
  /** The report as JSON writes it. */
  public Map<String, @Nullable Object> toJson() {
    Map<String, @Nullable Object> json = JsonHead.of(file).fields();
    json.put("window", window);
    json.put("tokens", perplexity.tokens());
    json.put("positions", perplexity.positions());
    json.put("not_finite", perplexity.notFinite());
    json.put("perplexity", perplexity.perplexity());
    json.put("nats_per_token", perplexity.nats());
    json.put("nats_per_token_error", perplexity.natsError());
    json.put("bits_per_byte", perplexity.bitsPerByte());
    json.put("unigram_perplexity", perplexity.unigramPerplexity());
    json.put("chance_perplexity", perplexity.chancePerplexity());
    json.put("divergence", divergence);
    return json;
  }

  /** Prints it for people. */
  public void print(Terminal terminal) {
    Perplexity p = perplexity;
    terminal.println(
        terminal.styled("bold", String.valueOf(file.path().getFileName()))
            + " (%s)  %,d tokens in windows of %,d, %,d predicted"
                .formatted(Quantization.of(file), p.tokens(), window, p.positions()));
    terminal.println("");
    if (p.notFinite() > 0) {
      terminal.println(
          terminal.styled("@|bold,red not finite|@  ")
              + "the scores at %,d of %,d positions"
                  .formatted(p.notFinite(), p.notFinite() + p.positions()));
    }
    if (p.positions() == 0) {
      return;
    }
    line(
        terminal,
        "perplexity",
        p.perplexity(),
        "± %.3g   %.3f nats per token%s"
            .formatted(
                p.perplexity() * p.natsError(),
                p.nats(),
                p.bitsPerByte() == null ? "" : ", %.3f bits per byte".formatted(p.bitsPerByte())));
    line(
        terminal,
        "unigrams",
        p.unigramPerplexity(),
        "knowing only how often each token is in this text");
    line(terminal, "chance", p.chancePerplexity(), "every token alike");
    if (divergence != null) {
      terminal.println("");
      DivergenceLines.print(divergence, terminal);
    }
    if (!(p.nats() < p.unigramNats())) {
      terminal.println("");
      terminal.println(
          terminal.styled("@|red ✘|@ ")
              + "the model predicts this text no better than the counts of its tokens do");
    }
  }

  private static void line(Terminal terminal, String name, double value, String more) {
    terminal.println("%-14s  %10.4f  %s".formatted(name, value, more));
  }
}
