package org.modeltracer.cli;

import org.modeltracer.llama.SamplerOptions;
import picocli.CommandLine.Option;

/** How tokens are chosen. */
final class ChoiceArguments {
  @Option(
      names = {"-s", "--seed"},
      paramLabel = "N",
      defaultValue = "42",
      description = "Seed of the random choice (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Option(
      names = {"--temp", "--temperature"},
      paramLabel = "T",
      defaultValue = "0.8",
      description = "Temperature; 0 always takes the most probable token (default: 0.8).")
  private float temperature;

  @Option(
      names = "--top-k",
      paramLabel = "N",
      defaultValue = "40",
      description = "Choose among the N most probable; 0 for all (default: 40).")
  private int topK;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      defaultValue = "0.95",
      description = "Choose among the smallest set of this probability (default: 0.95).")
  private float topP;

  SamplerOptions options() {
    return new SamplerOptions(temperature, topK, topP, (int) seed);
  }
}
