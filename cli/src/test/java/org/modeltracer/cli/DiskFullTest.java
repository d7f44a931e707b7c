package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Results for which there is no room: the file is named, the verdict stays, no piece is left. */
@EnabledOnOs(OS.LINUX)
class DiskFullTest {
  @TempDir Path folder;

  private static int run(String... command) throws IOException, InterruptedException {
    var builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.redirectOutput(ProcessBuilder.Redirect.DISCARD);
    return builder.start().waitFor();
  }

  @AfterEach
  void unmount() throws Exception {
    run("umount", folder.toString());
  }

  /** A file system of its own, that holds one file and not a byte more. */
  private void fill() throws Exception {
    assumeTrue(
        run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder.toString()) == 0,
        "no file system of its own may be mounted here");
    run("dd", "if=/dev/zero", "of=" + folder.resolve("all"), "bs=4k");
  }

  @Test
  void aReport() throws Exception {
    fill();
    Path report = folder.resolve("report.sarif");
    toldOf(report);
    assertThat(folder.toFile().list()).containsExactly("all");
  }

  @Test
  void aDeviceThatIsFull() {
    toldOf(Path.of("/dev/full"));
    assertThat(Path.of("/dev/full")).exists();
  }

  private static void toldOf(Path report) {
    Cli cli = Cli.run("check", Cli.MODEL, "--only", "file", "--no-summary", "--sarif", report);
    assertThat(cli.code()).as(cli.err()).isEqualTo(5);
    assertThat(cli.err()).contains("cannot write " + report + ": No space left on device");
    assertThat(cli.out()).contains("PASS  ");
  }

  @Test
  void aRun() throws Exception {
    fill();
    Cli cli = Cli.run("run", "-m", Cli.MODEL, "-p", "the", "-n", 2, "-t", 1, "--out", folder);
    assertThat(cli.code()).as(cli.err()).isEqualTo(5);
    assertThat(cli.err()).contains(folder + "/", "No space left on device");
    assertThat(folder).isDirectoryNotContaining("glob:**.part");
  }
}
