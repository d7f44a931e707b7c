package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.modeltracer.testing.Sample;

/** Options that people bring along from llama.cpp are refused by name, whatever the command. */
class LlamaFlagsTest {
  private static final List<String> COMMANDS =
      List.of(
          "run",
          "inspect",
          "heads",
          "diff",
          "attention",
          "check",
          "lens",
          "export",
          "bench",
          "sparse");

  @Test
  void allAreRefusedByName() {
    List<String> flags = List.copyOf(LlamaFlags.known());
    assertThat(flags).hasSizeGreaterThan(250).contains("-hf", "-cnv", "-md", "--mmproj");
    for (int i = 0; i < flags.size(); i += Sample.times(5, 1)) {
      String command = COMMANDS.get(i % COMMANDS.size());
      String flag = flags.get(i);
      Cli cli = Cli.run(command, flag, "x");
      assertThat(cli.code()).as(command + " " + flag).isEqualTo(2);
      assertThat(cli.err()).startsWith("modeltracer: " + flag + ": not supported: ");
      assertThat(cli.err().lines()).hasSize(1);
      assertThat(cli.out()).isEmpty();
    }
  }
}
