package org.modeltracer.cli;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.model.Site;
import org.modeltracer.trace.TracerConfig;
import org.modeltracer.trace.TracerConfigBuilder;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What is traced. */
final class TraceArguments {
  @Option(
      names = "--trace",
      paramLabel = "WHAT",
      defaultValue = "full",
      description =
          "full, lightweight (activations and KV cache), or a list of activations, attention,"
              + " logits, kv and places such as query or ffn_gate; lens adds the logit lens to any"
              + " of them (default: ${DEFAULT-VALUE}).")
  String trace = "full";

  @Option(
      names = "--trace-layers",
      paramLabel = "N,…",
      split = ",",
      hideParamSyntax = true,
      description = "Layers whose attention is traced (default: all).")
  List<Integer> layers = List.of();

  @Option(
      names = "--trace-heads",
      paramLabel = "N,…",
      split = ",",
      hideParamSyntax = true,
      description = "Heads whose attention is traced (default: all).")
  List<Integer> heads = List.of();

  @Option(
      names = "--trace-tokens",
      paramLabel = "ID,…",
      split = ",",
      hideParamSyntax = true,
      description = "Tokens whose scores are traced (default: the highest and the chosen).")
  List<Integer> tokens = List.of();

  @Option(
      names = "--trace-top-k",
      paramLabel = "N",
      defaultValue = "10",
      description = "Keys listed per row of attention (default: ${DEFAULT-VALUE}).")
  int topK;

  @Mixin private ThresholdArguments limits;

  /** The tracer's configuration. */
  TracerConfig config() {
    Set<String> words = words();
    boolean full = words.contains("full");
    boolean light = words.contains("lightweight") || full;
    TracerConfigBuilder config =
        TracerConfig.builder()
            .activations(light || words.contains("activations") || !extraSites().isEmpty())
            .attention(full || words.contains("attention"))
            .logits(full || words.contains("logits") || lens())
            .quantError(full)
            .kvCache(light || words.contains("kv"))
            .layers(layers)
            .heads(heads)
            .trackedTokens(tokens)
            .topK(topK)
            .thresholds(limits.thresholds());
    return config.build();
  }

  /** Whether scores are traced through all layers. */
  boolean lens() {
    return words().contains("lens");
  }

  /** Places to watch beside those that the configuration implies. */
  Set<Site> extraSites() {
    var sites = EnumSet.noneOf(Site.class);
    for (String word : words()) {
      site(word, sites);
    }
    return sites;
  }

  private static void site(String word, Set<Site> sites) {
    switch (word) {
      case "full", "lightweight", "activations", "attention", "logits", "kv", "lens" -> {}
      default ->
          sites.add(
              Arrays.stream(Site.values())
                  .filter(s -> s.id().equals(word))
                  .findFirst()
                  .orElseThrow(
                      () ->
                          new CliException(
                              ExitCode.USAGE,
                              "--trace knows no '"
                                  + word
                                  + "'; places are "
                                  + Arrays.stream(Site.values())
                                      .map(Site::id)
                                      .collect(Collectors.joining(", ")))));
    }
  }

  private Set<String> words() {
    return Arrays.stream(trace.toLowerCase(Locale.ROOT).split(","))
        .map(String::strip)
        .collect(Collectors.toSet());
  }
}
