package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The launcher itself, as it is unpacked: beside a jar, without sources. */
@EnabledOnOs(OS.LINUX)
class LauncherTest {
  private static final String NAME = "\"$(printf 'a\\303\\251\\377.gguf')\"";

  @TempDir Path folder;

  @BeforeEach
  void unpacked() throws IOException {
    Path jar = folder.resolve("cli/target/modeltracer-cli.jar");
    Files.createDirectories(jar.getParent());
    Files.copy(
        Path.of("modeltracer"), folder.resolve("modeltracer"), StandardCopyOption.COPY_ATTRIBUTES);
    var manifest = new Manifest();
    Attributes attributes = manifest.getMainAttributes();
    attributes.put(Attributes.Name.MANIFEST_VERSION, "1.0");
    attributes.put(Attributes.Name.MAIN_CLASS, Launch.class.getName());
    attributes.put(Attributes.Name.CLASS_PATH, classPath());
    new JarOutputStream(Files.newOutputStream(jar), manifest).close();
    Files.createDirectory(folder.resolve("tmp"));
  }

  private static String classPath() {
    return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
        .map(entry -> Path.of(entry).toUri().toString())
        .collect(Collectors.joining(" "));
  }

  /** What a shell's command, in the folder of the launcher, answers. */
  private Cli shell(String command) throws Exception {
    var builder =
        new ProcessBuilder("sh", "-c", command)
            .directory(folder.toFile())
            .redirectOutput(folder.resolve("out").toFile())
            .redirectError(folder.resolve("err").toFile());
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    builder.environment().put("TMPDIR", folder.resolve("tmp").toString());
    Process process = builder.start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return new Cli(
        process.exitValue(),
        Files.readString(folder.resolve("out")),
        Files.readString(folder.resolve("err")));
  }

  @Test
  void aFileWhoseNameIsNoTextIsRead() throws Exception {
    Files.copy(Path.of(Cli.MODEL), folder.resolve("model"));
    assertThat(shell("mv model " + NAME).code()).isZero();
    String inspect = "./modeltracer inspect --no-sites --in-process " + NAME;
    Cli cli = shell(inspect);
    assertThat(cli.code()).as(cli.err()).isZero();
    assertThat(cli.out()).startsWith("a???.gguf  GGUF v3");
    // Two files may be called the same once their bytes are question marks.
    assertThat(shell(inspect + " " + NAME).err()).contains("one model at a time", "/2/a???.gguf");
    while (folder.resolve("tmp").toFile().list().length > 0) {
      Thread.sleep(50);
    }
  }

  /** Under some Java does not start, and under some the shell has words of its own for that. */
  @ParameterizedTest
  @ValueSource(strings = {"-v 200000", "-v 2000000", "-n 32"})
  void limitsOfTheShellAreOneLine(String limit) throws Exception {
    Cli cli = shell("ulimit " + limit + "; ./modeltracer inspect none");
    assertThat(cli.code()).as(cli.err()).isEqualTo(5);
    assertThat(cli.out()).isEmpty();
    assertThat(cli.err()).startsWith("modeltracer: ").contains("ulimit").hasLineCount(1);
  }

  /** The superuser has as many processes as there is room for: this takes another user. */
  @Test
  void aLimitOfProcessesIsOneLine() throws Exception {
    assumeTrue(
        shell("setpriv --reuid=65534 --clear-groups test -x \"$JAVA_HOME/bin/java\"").code() == 0,
        "not the superuser, or Java is only for the superuser");
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
    String start = "exec setpriv --reuid=65534 --clear-groups ./modeltracer inspect none";
    // One shell calls it u, the other p.
    Cli cli = shell("ulimit -u 3 2>/dev/null || ulimit -p 3; " + start);
    assertThat(cli.code()).as(cli.err()).isEqualTo(5);
    assertThat(cli.err()).startsWith("modeltracer: ").contains("-u 3").hasLineCount(1);
  }
}
