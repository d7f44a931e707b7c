package org.modeltracer.cli.terminal;

import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.output.JsonHead;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.lens.LensOptions;
import org.modeltracer.lens.PositionReading;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.SamplerOptions;
import org.modeltracer.session.Generation;

/**
 * What a lens saw in a run.
 *
 * @param file the model's file
 * @param model the model
 * @param steps what turns a state into scores
 * @param sampler how tokens were chosen
 * @param options what was looked for
 * @param prompt tokens of the prompt
 * @param generation what was generated
 * @param readings one per position
 */
public record LensReport(
    GgufFile file,
    LlamaModel model,
    List<String> steps,
    SamplerOptions sampler,
    LensOptions options,
    int[] prompt,
    Generation generation,
    List<PositionReading> readings) {

  /** As in {@code lens.schema.json}. */
  public Map<String, @Nullable Object> toJson() {
    Map<String, @Nullable Object> object = JsonHead.of(file).fields();
    object.put("layers", model.layers());
    object.put("steps", steps);
    object.put("sampling", sampler.toJson());
    object.put("prompt_tokens", prompt.length);
    object.put("generated_text", generation.text());
    object.put("largest_difference", largestDifference());
    object.put("positions", readings);
    return object;
  }

  private @Nullable Double largestDifference() {
    return readings.stream()
        .map(PositionReading::difference)
        .filter(Objects::nonNull)
        .max(Double::compare)
        .orElse(null);
  }

  /** The same for a person. */
  public void print(Terminal terminal) {
    terminal.println(
        terminal.styled("bold", model.file().getFileName().toString())
            + "  %d layers; a state becomes scores by %s"
                .formatted(model.layers(), String.join(", ", steps)));
    terminal.println(
        sampler.isGreedy()
            ? "The most likely token was chosen."
            : "Tokens were chosen at temperature %s, top-p %s."
                .formatted(sampler.temperature(), sampler.topP()));
    terminal.println("");
    var table = new LensTable(terminal, new TokenTexts(model.vocabulary()));
    if (readings.size() == 1) {
      table.one(readings.getFirst());
    } else {
      table.many(readings);
    }
    table.tracked(readings, options.tracked());
  }
}
