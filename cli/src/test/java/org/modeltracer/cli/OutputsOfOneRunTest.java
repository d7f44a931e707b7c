package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A folder of results belongs to one run, and what is not ours in it stays. */
class OutputsOfOneRunTest {
  @TempDir Path folder;

  private List<String> left() throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files
          .filter(Files::isRegularFile)
          .map(file -> folder.relativize(file).toString())
          .sorted()
          .toList();
    }
  }

  private void run(Object... more) {
    var words =
        Stream.concat(
                Stream.of(
                    "run", "-m", Cli.MODEL, "-p", "hi", "-n", "1", "-t", "1", "--out", folder),
                Stream.of(more))
            .toArray();
    assertThat(Cli.run(words).code()).isZero();
  }

  @Test
  void whatAnEarlierRunLeftGoesAndNothingElse() throws IOException {
    run("--trace", "full");
    assertThat(left()).contains("attention.json", "summary.json");
    Files.writeString(folder.resolve("notes.txt"), "mine");
    Files.writeString(folder.resolve("mine.npy"), "mine");
    run("--trace", "lightweight");
    assertThat(left())
        .contains("summary.json", "notes.txt", "mine.npy")
        .doesNotContain("attention.json");
    Cli check = Cli.run("check", "--only", "file.structure", "--out", folder, Cli.MODEL);
    assertThat(check.code()).isZero();
    assertThat(check.err()).contains("wrote " + folder.resolve("summary.json"));
    assertThat(left()).containsExactly("mine.npy", "notes.txt", "summary.json");
  }

  /** A name in an index is no licence to remove what it likes. */
  @Test
  void anIndexOfSomebodyElseRemovesNothing() throws IOException {
    Path outside = Files.writeString(folder.resolveSibling(folder.getFileName() + ".npy"), "x");
    Path own = Files.createDirectory(folder.resolve("own"));
    Files.writeString(own.resolve("thesis.txt"), "x");
    Files.writeString(own.resolve("a.npy"), "x");
    Files.writeString(own.resolve("model.npy"), "x");
    Files.writeString(own.resolve("prompt.csv"), "x");
    Files.writeString(
        own.resolve("export.json"),
        """
        {"tool": {"name": "modeltracer"}, "model": {"file": "model.npy"},
         "format": "npy", "prompts": [{"text": "prompt.csv"}],
         "files": [{"file": "a.npy"}, {"file": "thesis.txt"}, {"file": "../%s"}, {"file": "/etc/passwd"}]}
        """
            .formatted(outside.getFileName()));
    Cli check = Cli.run("check", "--only", "file.structure", "--out", own, Cli.MODEL);
    assertThat(check.code()).isZero();
    assertThat(left())
        .containsExactly("own/model.npy", "own/prompt.csv", "own/summary.json", "own/thesis.txt");
    assertThat(outside).exists();
    Files.delete(outside);
  }

  /** A reader that does not read everything must not take a part for the whole. */
  @Test
  void whatCannotBePrintedIsAnError() {
    var full =
        new Writer() {
          @Override
          public void write(char[] text, int from, int length) throws IOException {
            throw new IOException("No space left on device");
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    var err = new StringWriter();
    int code =
        Main.run(
            new PrintWriter(full),
            new PrintWriter(err),
            "inspect",
            "-m",
            Cli.MODEL,
            "--no-sites",
            "--json");
    assertThat(code).isEqualTo(5);
    assertThat(err.toString()).contains("stdout cannot be written");
  }
}
