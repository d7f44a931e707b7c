package org.modeltracer.cli;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.input.SmallFile;
import org.modeltracer.llama.SamplerOptions;
import picocli.CommandLine.Option;

/** How tokens are chosen. */
@Heading(Heading.Topic.SAMPLING)
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

  @Option(
      names = "--min-p",
      paramLabel = "P",
      defaultValue = "0.05",
      description =
          "Choose among those of at least P times the largest probability; 0 for all (default:"
              + " 0.05).")
  private float minP;

  @Option(
      names = "--repeat-last-n",
      paramLabel = "N",
      defaultValue = "64",
      description = "Tokens that penalties look back at; 0 for none, -1 for -c (default: 64).")
  private int repeatLast;

  @Option(
      names = "--repeat-penalty",
      paramLabel = "X",
      defaultValue = "1",
      description =
          "Divide the scores of tokens that came before by X; 1 for no penalty (default: 1).")
  private float repeat;

  @Option(
      names = "--presence-penalty",
      paramLabel = "X",
      defaultValue = "0",
      description = "Subtract X from the score of a token that came before (default: 0).")
  private float presence;

  @Option(
      names = "--frequency-penalty",
      paramLabel = "X",
      defaultValue = "0",
      description = "Subtract X for each time that the token came before (default: 0).")
  private float frequency;

  @Option(
      names = "--grammar",
      paramLabel = "GBNF",
      description = "Rules that the generated text follows, from a rule named root.")
  private @Nullable String grammar;

  @Option(names = "--grammar-file", paramLabel = "FILE", description = "File of such rules.")
  private @Nullable Path grammarFile;

  SamplerOptions options() {
    takes("--seed", "0 to " + LARGEST_SEED, seed >= 0 && seed <= LARGEST_SEED, seed);
    takes("--temp", "0 or more", temperature >= 0 && Float.isFinite(temperature), temperature);
    takes("--top-k", "1 or more, or 0 for all", topK >= 0, topK);
    takes("--top-p", "0 to 1", topP >= 0 && topP <= 1, topP);
    takes("--min-p", "0 to 1", minP >= 0 && minP <= 1, minP);
    takes("--repeat-last-n", "0 or more, or -1 for the context", repeatLast >= -1, repeatLast);
    takes("--repeat-penalty", "more than 0", repeat > 0 && Float.isFinite(repeat), repeat);
    takes("--presence-penalty", "a number", Float.isFinite(presence), presence);
    takes("--frequency-penalty", "a number", Float.isFinite(frequency), frequency);
    var penalties = new SamplerOptions.Penalties(repeatLast, repeat, frequency, presence);
    return new SamplerOptions(temperature, topK, topP, minP, penalties, rules(), (int) seed);
  }

  private @Nullable String rules() {
    if (grammar != null && grammarFile != null) {
      throw new CliException(ExitCode.USAGE, "give one grammar: --grammar or --grammar-file");
    }
    String rules =
        grammarFile == null
            ? grammar
            : SmallFile.text(grammarFile, SmallFile.SETTINGS, SmallFile.PATIENCE);
    if (rules != null && (rules.isBlank() || rules.indexOf('\0') >= 0)) {
      throw new CliException(ExitCode.USAGE, "--grammar: no rules in it");
    }
    return rules;
  }

  private static void takes(String option, String what, boolean does, Number value) {
    if (!does) {
      throw new CliException(ExitCode.USAGE, "%s takes %s, not %s".formatted(option, what, value));
    }
  }
}
