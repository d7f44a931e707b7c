package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A model is named in one way everywhere: by itself, or behind {@code -m}. */
class ModelFileTest {
  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "run MODEL -p x -n 1 -t 1 --out OUT",
        "lens MODEL -p x -t 1",
        "attention MODEL -p x -t 1 --out OUT",
        "heads MODEL --sequences 2 -t 1",
        "inspect MODEL --no-sites",
        "inspect -m MODEL --no-sites",
        "export MODEL -p x -t 1 --what tokens --out OUT",
        "perplexity MODEL --chunks 1 -c 64 -t 1",
        "bench MODEL --rounds 1 --prompt-tokens 8 -n 1 -t 1",
        "check MODEL --only file.structure --no-summary",
        "diff MODEL -fa off -fa-b on --tokens 1,2,3 --no-local -t 1"
      })
  void byItself(String line) {
    String words = line.replace("MODEL", Cli.MODEL).replace("OUT", folder.toString());
    Cli cli = Cli.run((Object[]) words.split(" "));
    assertThat(cli.code()).as("%s%n%s%s", words, cli.out(), cli.err()).isZero();
  }

  @Test
  void theSameFileTwiceIsOne() {
    assertThat(Cli.run("inspect", "-m", Cli.MODEL, Cli.MODEL, "--no-sites").code()).isZero();
  }

  @Test
  void aReferenceByEitherName() {
    String quant = "models/tinyllama-mha-Q8_0.gguf";
    String reference = "models/tinyllama-mha-f16.gguf";
    String rest = " --tokens 1,2,3 --no-local --places -t 1 --json";
    var first = diff(quant + " " + reference + rest);
    assertThat(diff("-m " + quant + " --reference " + reference + rest)).isEqualTo(first);
    assertThat(diff(quant + " --reference " + reference + rest)).isEqualTo(first);
  }

  private static String diff(String words) {
    Cli cli = Cli.run((Object[]) ("diff " + words).split(" "));
    assertThat(cli.code()).as(cli.err()).isZero();
    return cli.out();
  }

  @Test
  void aNameLikeAnOptionStandsBehindTwoDashes() throws IOException {
    Path model = Files.copy(Path.of(Cli.MODEL), folder.resolve("-m.gguf"));
    assertThat(Cli.run("inspect", "--no-sites", "--", model).code()).isZero();
    Cli unknown = Cli.run("inspect", "-m.gguf");
    assertThat(unknown.code()).isEqualTo(2);
    UsageTest.assertOneLine(unknown);
  }
}
