package org.modeltracer.cli;

import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.llama.SamplerOptions;
import picocli.CommandLine.Option;

/** How tokens are chosen. */
final class ChoiceArguments {
  private static final long LARGEST_SEED = 0xffff_ffffL;

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
    takes("--seed", "0 to " + LARGEST_SEED, seed >= 0 && seed <= LARGEST_SEED, seed);
    takes("--temp", "0 or more", temperature >= 0 && Float.isFinite(temperature), temperature);
    takes("--top-k", "1 or more, or 0 for all", topK >= 0, topK);
    takes("--top-p", "0 to 1", topP >= 0 && topP <= 1, topP);
    return new SamplerOptions(temperature, topK, topP, (int) seed);
  }

  private static void takes(String option, String what, boolean does, Number value) {
    if (!does) {
      throw new CliException(ExitCode.USAGE, "%s takes %s, not %s".formatted(option, what, value));
    }
  }
}
