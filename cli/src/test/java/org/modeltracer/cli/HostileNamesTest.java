package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** What a file of a repository is called never becomes an option of this program. */
@DisabledOnOs(OS.WINDOWS)
class HostileNamesTest {
  private static final String LIBRARY = "--llama-lib=lib.gguf";

  @TempDir Path repository;

  /** Runs {@code check} as a hook does: in the repository, on names of its files. */
  private Cli check(String... args) throws IOException, InterruptedException {
    var command = new ArrayList<String>();
    Collections.addAll(
        command,
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Dmodeltracer.home=" + Path.of("").toAbsolutePath(),
        "--enable-native-access=ALL-UNNAMED",
        "-cp",
        absolute(System.getProperty("java.class.path")),
        Main.class.getName(),
        "check",
        "--no-summary",
        "--only",
        "file.structure");
    Collections.addAll(command, args);
    Path out = Files.createTempFile("out", null);
    Path err = Files.createTempFile("err", null);
    try {
      int code =
          new ProcessBuilder(command)
              .directory(repository.toFile())
              .redirectOutput(out.toFile())
              .redirectError(err.toFile())
              .start()
              .waitFor();
      return new Cli(code, Files.readString(out), Files.readString(err));
    } finally {
      Files.delete(out);
      Files.delete(err);
    }
  }

  private static String absolute(String classPath) {
    return Stream.of(classPath.split(":"))
        .map(part -> Path.of(part).toAbsolutePath().toString())
        .reduce((a, b) -> a + ":" + b)
        .orElseThrow();
  }

  @Test
  void anOptionThatIsAlsoAFileIsRefused() throws Exception {
    Files.copy(Path.of(Cli.MODEL), repository.resolve(LIBRARY));
    Files.copy(Path.of(Cli.MODEL), repository.resolve("good.gguf"));
    for (String[] args :
        new String[][] {{LIBRARY, "good.gguf"}, {"good.gguf", LIBRARY}, {"-m", LIBRARY}}) {
      Cli cli = check(args);
      assertThat(cli.code()).as(cli.err()).isEqualTo(2);
      UsageTest.assertOneLine(cli);
    }
  }

  @Test
  void behindTwoDashesEveryWordIsAFile() throws Exception {
    Files.copy(Path.of(Cli.MODEL), repository.resolve(LIBRARY));
    Cli cli = check("--", LIBRARY);
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.out()).startsWith(LIBRARY + "  policy default");
  }

  @Test
  void aFileOfArgumentsIsAFile() throws Exception {
    Files.writeString(repository.resolve("more"), "--list");
    Cli cli = check("--", "@more");
    assertThat(cli.code()).as(cli.err()).isEqualTo(3);
    assertThat(check("@more").code()).isEqualTo(3);
  }

  @Test
  void examplesPutFilesBehindTwoDashes() throws IOException {
    assertThat(Files.readString(Path.of(".pre-commit-hooks.yaml"))).contains("args: [--]");
    assertThat(Files.readString(Path.of("docs/examples/pre-commit-config.yaml")))
        .containsPattern("args: \\[.*, --]");
    assertThat(Files.readString(Path.of("action.yml"))).contains("-- \"$MODELS\"");
    var several = Pattern.compile("modeltracer check [^-\\n]*\\.gguf.*\\.gguf");
    for (Path page : List.of(Path.of("README.md"), Path.of("docs/gate.md"))) {
      assertThat(Files.readString(page)).doesNotContainPattern(several);
    }
  }
}
