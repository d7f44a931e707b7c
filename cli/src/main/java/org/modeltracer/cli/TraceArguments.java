package org.modeltracer.cli;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.model.Site;
import org.modeltracer.trace.TracerConfig;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What is traced. */
@Heading(Heading.Topic.TRACING)
final class TraceArguments {
  /** What is traced of the whole model. */
  private enum Mode {
    FULL,
    LIGHTWEIGHT,
    ACTIVATIONS,
    ATTENTION,
    LOGITS,
    KV,
    LENS;

    static Optional<Mode> named(String word) {
      return Arrays.stream(values()).filter(mode -> mode.name().equalsIgnoreCase(word)).findFirst();
    }
  }

  @Option(
      names = "--trace",
      paramLabel = "WHAT",
      defaultValue = "full",
      description =
          "full, lightweight (activations and KV cache), or a list of activations, attention,"
              + " logits, kv and places such as query or ffn_gate; lens adds the logit lens to any"
              + " of them (default: ${DEFAULT-VALUE}).")
  private String trace = "full";

  @Option(
      names = "--trace-layers",
      paramLabel = "N-N,N,…",
      split = ",",
      hideParamSyntax = true,
      converter = NumberRange.Converter.class,
      description = "Layers whose attention is traced, such as 0-2,5 (default: all).")
  private List<NumberRange> layers = List.of();

  @Option(
      names = "--trace-heads",
      paramLabel = "N-N,N,…",
      split = ",",
      hideParamSyntax = true,
      converter = NumberRange.Converter.class,
      description = "Heads whose attention is traced, such as 0-2,5 (default: all).")
  private List<NumberRange> heads = List.of();

  @Option(
      names = "--trace-tokens",
      paramLabel = "ID,…",
      split = ",",
      hideParamSyntax = true,
      description = "Tokens whose scores are traced (default: the highest and the chosen).")
  private List<Integer> tokens = List.of();

  @Option(
      names = "--trace-top-k",
      paramLabel = "N",
      defaultValue = "10",
      description = "Keys listed per row of attention (default: ${DEFAULT-VALUE}).")
  private int topK;

  @Mixin private ThresholdArguments limits;

  /** The tracer's configuration. */
  TracerConfig config() {
    Set<Mode> modes = modes();
    boolean full = modes.contains(Mode.FULL);
    boolean light = full || modes.contains(Mode.LIGHTWEIGHT);
    return TracerConfig.builder()
        .activations(light || modes.contains(Mode.ACTIVATIONS) || !extraSites().isEmpty())
        .attention(full || modes.contains(Mode.ATTENTION))
        .logits(full || modes.contains(Mode.LOGITS) || lens())
        .quantError(full)
        .kvCache(light || modes.contains(Mode.KV))
        .layers(NumberRange.all(layers))
        .heads(NumberRange.all(heads))
        .trackedTokens(tokens)
        .topK(topK)
        .thresholds(limits.thresholds())
        .build();
  }

  /** Refuses layers, heads and tokens that a model does not have. */
  void check(LlamaModel model) {
    below("--trace-layers", lasts(layers), "layer", model.layers());
    below("--trace-heads", lasts(heads), "head", model.heads());
    below("--trace-tokens", tokens, "token", model.vocabulary().size());
  }

  private static List<Integer> lasts(List<NumberRange> ranges) {
    return ranges.stream().map(NumberRange::last).toList();
  }

  private static void below(String option, List<Integer> asked, String what, int count) {
    for (int number : asked) {
      if (number < 0 || number >= count) {
        throw new CliException(
            ExitCode.USAGE,
            "%s: the model has no %s %d; it has 0 to %d"
                .formatted(option, what, number, count - 1));
      }
    }
  }

  /** Whether scores are traced through all layers. */
  boolean lens() {
    return modes().contains(Mode.LENS);
  }

  private Set<Mode> modes() {
    return words().flatMap(word -> Mode.named(word).stream()).collect(Collectors.toSet());
  }

  /** Places to watch beside those that the configuration implies: what is named and is no mode. */
  Set<Site> extraSites() {
    return words()
        .filter(word -> Mode.named(word).isEmpty())
        .map(TraceArguments::site)
        .collect(Collectors.toCollection(() -> EnumSet.noneOf(Site.class)));
  }

  private static Site site(String word) {
    return Arrays.stream(Site.values())
        .filter(site -> site.id().equals(word))
        .findFirst()
        .orElseThrow(
            () ->
                new CliException(
                    ExitCode.USAGE,
                    "--trace knows no '%s'; places are %s"
                        .formatted(
                            word,
                            Arrays.stream(Site.values())
                                .map(Site::id)
                                .collect(Collectors.joining(", ")))));
  }

  private Stream<String> words() {
    return Arrays.stream(trace.toLowerCase(Locale.ROOT).split(",")).map(String::strip);
  }
}
