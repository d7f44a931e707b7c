package org.modeltracer.cli.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;

/** Whatever an output is named, what had that name stays what it was. */
@EnabledOnOs(OS.LINUX)
class OutputFileTest {
  @TempDir Path folder;

  private static boolean ran(String... command) throws IOException, InterruptedException {
    return new ProcessBuilder(command).start().waitFor() == 0;
  }

  @Test
  void aRegularFileIsReplacedInOneMoveAndKeepsItsPermissions() throws IOException {
    Path file = Files.writeString(folder.resolve("a"), "old");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    try (var before = Files.newInputStream(file)) {
      OutputFile.write(file, "new\uD800");
      assertThat(before.readAllBytes()).as("what a reader holds").asString().isEqualTo("old");
    }
    assertThat(file).hasContent("new?");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-------");
    assertThat(folder).isDirectoryNotContaining("glob:**.part");
  }

  @Test
  void aLinkIsWrittenThrough() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "old");
    Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("file"));
    Path outer = Files.createSymbolicLink(folder.resolve("outer"), link);
    OutputFile.write(outer, "new");
    assertThat(Files.isSymbolicLink(outer) && Files.isSymbolicLink(link)).isTrue();
    assertThat(Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)).isTrue();
    assertThat(file).hasContent("new");
    Path dangling = Files.createSymbolicLink(folder.resolve("dangling"), Path.of("made"));
    OutputFile.write(dangling, "made");
    assertThat(Files.isSymbolicLink(dangling)).isTrue();
    assertThat(folder.resolve("made")).hasContent("made");
  }

  @Test
  void aLinkWithTheNameOfThePartIsNotFollowed() throws IOException {
    Path victim = Files.writeString(folder.resolve("victim"), "mine");
    Files.createSymbolicLink(folder.resolve("out.part"), victim);
    OutputFile.write(folder.resolve("out"), "new");
    assertThat(victim).hasContent("mine");
    assertThat(folder.resolve("out")).hasContent("new");
  }

  @Test
  void linksInACircleAreAnError() throws IOException {
    Path one = folder.resolve("one");
    Files.createSymbolicLink(one, folder.resolve("two"));
    Files.createSymbolicLink(folder.resolve("two"), one);
    assertThatThrownBy(() -> OutputFile.write(one, "x"))
        .isInstanceOf(CliException.class)
        .hasMessageContaining("cannot write " + one);
  }

  @Test
  void aPipeIsWrittenTo() throws Exception {
    Path pipe = folder.resolve("pipe");
    assertThat(ran("mkfifo", pipe.toString())).isTrue();
    var reader = new FutureTask<>(() -> Files.readString(pipe));
    Thread.ofPlatform().daemon().start(reader);
    OutputFile.write(pipe, "through");
    assertThat(reader.get(20, TimeUnit.SECONDS)).isEqualTo("through");
    assertThat(ran("test", "-p", pipe.toString())).as("still a pipe").isTrue();
  }

  @Test
  void aDeviceIsWrittenTo() throws Exception {
    Path device = folder.resolve("null");
    assumeTrue(ran("mknod", device.toString(), "c", "1", "3"), "needs the right to make a device");
    assumeTrue(ran("sh", "-c", "echo >" + device), "devices do not work on this file system");
    OutputFile.write(device, "gone");
    assertThat(ran("test", "-c", device.toString())).as("still a device").isTrue();
    Path link = Files.createSymbolicLink(folder.resolve("link"), device);
    OutputFile.write(link, "gone");
    assertThat(ran("test", "-c", device.toString())).isTrue();
  }

  @Test
  void anOpenDescriptorIsWrittenToBehindWhatIsThere() throws IOException {
    Path file = Files.writeString(folder.resolve("open"), "");
    try (var own = new FileOutputStream(file.toFile(), true)) {
      own.write("first ".getBytes(StandardCharsets.UTF_8));
      Path descriptor;
      try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
        descriptor = all.filter(fd -> Files.exists(fd) && same(fd, file)).findFirst().orElseThrow();
      }
      OutputFile.write(Path.of("/dev/fd").resolve(descriptor.getFileName()), "second ");
      Path link = Files.createSymbolicLink(folder.resolve("link"), descriptor);
      OutputFile.write(link, "third");
    }
    assertThat(file).hasContent("first second third");
  }

  private static boolean same(Path one, Path other) {
    try {
      return Files.isSameFile(one, other);
    } catch (IOException e) {
      return false;
    }
  }

  @Test
  void aFolderIsRefusedBeforeTheWork() {
    assertThatThrownBy(() -> OutputFile.check("--sarif", folder))
        .isInstanceOfSatisfying(
            CliException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.USAGE))
        .hasMessageContaining("--sarif: ")
        .hasMessageContaining("is a folder");
  }

  @Test
  void aFullDiskNamesTheFileAndLeavesNoPart() throws Exception {
    Path full = folder.resolve("full");
    assumeTrue(ran("mknod", full.toString(), "c", "1", "7"), "needs the right to make a device");
    assumeTrue(ran("sh", "-c", "test $(head -c 1 " + full + " | wc -c) = 1"), "no devices here");
    assertThatThrownBy(() -> OutputFile.write(full, "x"))
        .isInstanceOfSatisfying(
            CliException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.FAILURE))
        .hasMessageContaining("cannot write " + full + ": ")
        .hasMessageContaining("No space left on device");
    assertThat(folder).isDirectoryNotContaining("glob:**.part");
  }
}
