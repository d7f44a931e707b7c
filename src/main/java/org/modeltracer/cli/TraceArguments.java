package org.modeltracer.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.model.Site;
import org.modeltracer.trace.TracerConfig;
import org.modeltracer.trace.TracerConfigBuilder;
import picocli.CommandLine.Option;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** What is traced. */
final class TraceArguments {
  @Option(
      names = "--trace",
      paramLabel = "WHAT",
      defaultValue = "full",
      description =
          "full, lightweight (activations and KV cache), or a list of activations, attention,"
              + " logits, kv and places such as query or ffn_gate (default: ${DEFAULT-VALUE}).")
  String trace = "full";

  @Option(
      names = "--trace-layers",
      paramLabel = "N,…",
      split = ",",
      description = "Layers whose attention is traced (default: all).")
  List<Integer> layers = List.of();

  @Option(
      names = "--trace-heads",
      paramLabel = "N,…",
      split = ",",
      description = "Heads whose attention is traced (default: all).")
  List<Integer> heads = List.of();

  @Option(
      names = "--trace-tokens",
      paramLabel = "ID,…",
      split = ",",
      description = "Tokens whose scores are traced (default: the highest and the chosen).")
  List<Integer> tokens = List.of();

  @Option(
      names = "--trace-top-k",
      paramLabel = "N",
      defaultValue = "10",
      description = "Keys listed per row of attention (default: ${DEFAULT-VALUE}).")
  int topK;

  @Option(
      names = "--thresholds",
      paramLabel = "FILE",
      description = "YAML or JSON file that overrides limits of the anomaly rules.")
  @Nullable Path thresholds;

  /** The tracer's configuration. */
  TracerConfig config() {
    Set<String> words = words();
    boolean full = words.contains("full");
    boolean light = words.contains("lightweight") || full;
    TracerConfigBuilder config =
        TracerConfig.builder()
            .activations(light || words.contains("activations") || !extraSites().isEmpty())
            .attention(full || words.contains("attention"))
            .logits(full || words.contains("logits"))
            .quantError(full)
            .kvCache(light || words.contains("kv"))
            .layers(layers)
            .heads(heads)
            .trackedTokens(tokens)
            .topK(topK)
            .thresholds(limits());
    return config.build();
  }

  private Thresholds limits() {
    if (thresholds == null) {
      return Thresholds.defaults();
    }
    try {
      // JSON is YAML too.
      var type = new TypeReference<Map<String, Object>>() {};
      Map<String, Object> given = YAMLMapper.shared().readValue(Files.readString(thresholds), type);
      return Thresholds.from(given == null ? Map.of() : given);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (JacksonException e) {
      throw new CliException(
          ExitCode.USAGE,
          thresholds + ": not YAML or JSON of limits by name: " + e.getOriginalMessage());
    }
  }

  /** Places named beside the usual ones. */
  Set<Site> extraSites() {
    var sites = EnumSet.noneOf(Site.class);
    for (String word : words()) {
      site(word, sites);
    }
    return sites;
  }

  private static void site(String word, Set<Site> sites) {
    switch (word) {
      case "full", "lightweight", "activations", "attention", "logits", "kv" -> {}
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
