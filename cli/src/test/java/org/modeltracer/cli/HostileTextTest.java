package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Text of a file acts neither on a terminal nor on CI, wherever it is shown. */
@DisabledOnOs(OS.WINDOWS)
class HostileTextTest {
  private static final Path WILD = Path.of("..", "shared", "wild");

  @TempDir Path folder;

  @BeforeAll
  static void needsTheFiles() {
    assumeTrue(Files.isDirectory(WILD), "no ../shared/wild");
  }

  /** What no output may hold: controls, and lines that GitHub Actions obeys. */
  private static void assertHarmless(String text) {
    assertThat(text.codePoints().filter(c -> c != '\n' && c != '\t'))
        .noneMatch(Character::isISOControl);
    assertThat(text).doesNotContainPattern("(?m)^\\s*::(?!error file=)").doesNotContain("##[");
  }

  @ParameterizedTest
  @CsvSource({
    "esc-meta.gguf, check --skip forward --annotations",
    "esc-meta.gguf, inspect",
    "esc-meta.gguf, run -p the -n 4 -t 1",
    "esc-tpl.gguf, check --only file --annotations",
    "esc-tpl.gguf, inspect",
    "inj-key.gguf, check --only file --annotations",
    "inj-key.gguf, inspect",
    "inj-nan-tensor.gguf, check --only file --annotations",
    "inj-nan-tensor.gguf, inspect --weights",
    "tok-rwkv.gguf, check --only file --annotations",
    "blk-number.gguf, check --only file --annotations",
  })
  void nothingActs(String file, String line) throws IOException {
    Path summary = folder.resolve("summary.md");
    String[] words = (line + " -m " + WILD.resolve(file)).split(" ");
    boolean writes = words[0].equals("check");
    Cli cli =
        writes
            ? Cli.run(with(words, "--out", folder, "--markdown", summary))
            : Cli.run((Object[]) words);
    assertThat(cli.out() + cli.err()).isNotBlank();
    assertHarmless(cli.out());
    assertHarmless(cli.err());
    if (writes) {
      assertThat(summary).isNotEmptyFile();
      assertHarmless(Files.readString(summary));
    }
  }

  private static Object[] with(String[] words, Object... more) {
    Object[] all = Arrays.copyOf(words, words.length + more.length, Object[].class);
    System.arraycopy(more, 0, all, words.length, more.length);
    return all;
  }

  @Test
  void namesOfFilesAndPoliciesDoNotActEither() throws IOException {
    String evil = "a\n::add-mask::x\u001b[2J\u202e";
    Path model = Files.copy(Path.of(Cli.MODEL), folder.resolve(evil + ".gguf"));
    Path policy =
        Files.writeString(
            folder.resolve("policy.yaml"), "name: \"p\\n::error::x\\e[2J\"\npreset: smoke\n");
    Path markdown = folder.resolve("out.md");
    for (Object[] words :
        new Object[][] {
          {"check", "--only", "file", "--no-summary", "--markdown", markdown, "--", model},
          {"check", "--only", "file", "--no-summary", "--policy", policy, "--", model},
          {"check", "--policy", folder.resolve(evil), "--", model},
          {"inspect", "-m", model},
          {"inspect", "-m", folder.resolve(evil)}
        }) {
      Cli cli = Cli.run(words);
      assertThat(cli.out() + cli.err()).contains("a").isNotBlank();
      assertHarmless(cli.out());
      assertHarmless(cli.err());
      assertThat(cli.out() + cli.err()).doesNotContain("\u202e");
    }
    assertHarmless(Files.readString(markdown));
  }
}
