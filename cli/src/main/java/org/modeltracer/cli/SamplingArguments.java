package org.modeltracer.cli;

import org.modeltracer.llama.SamplerOptions;
import picocli.CommandLine.Option;

/** How tokens are chosen, and how many. */
final class SamplingArguments extends ChoiceArguments {
  @Option(
      names = {"-n", "--predict", "--n-predict"},
      paramLabel = "N",
      defaultValue = "128",
      description = "Tokens to generate (default: ${DEFAULT-VALUE}).")
  int predict;

  @Override
  SamplerOptions options() {
    ContextArguments.atLeast("-n", predict, 0);
    return super.options();
  }
}
