package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.process.ChildJvm;

/** Which commands run their model in a process of its own: said in three places, the same ones. */
class LaunchTest {
  private static final Pattern IN_LAUNCHER =
      Pattern.compile("(?m)^ *(\\w+(?: \\| \\w+)+)\\) waits=");

  /**
   * But {@code check} and {@code doctor}, which have workers, and {@code attach}, which has none.
   */
  private static List<String> loading() {
    var nowhere = new PrintWriter(new StringWriter());
    var commands = Main.commandLine(nowhere, nowhere).getSubcommands();
    assertThat(commands).allSatisfy((name, it) -> assertThat(it.getCommandName()).isEqualTo(name));
    return commands.keySet().stream()
        .filter(name -> !Set.of("check", "doctor", "report", "attach").contains(name))
        .toList();
  }

  @Test
  void everyCommandThatLoadsAModelIsSupervised() {
    assertThat(Launch.LOADING).containsExactlyInAnyOrderElementsOf(loading());
    for (String command : loading()) {
      assertThat(Launch.supervised(command, "-m", "file")).as(command).isTrue();
      assertThat(Launch.supervised(command, "--in-process")).as(command).isFalse();
      assertThat(Launch.supervised(command, "--", "--in-process")).as(command).isTrue();
      assertThat(Launch.supervised(command, "--help")).as(command).isFalse();
    }
    assertThat(Launch.supervised("check", "file")).isFalse();
    assertThat(Launch.supervised()).isFalse();
  }

  @Test
  void theLauncherKnowsThem() throws IOException {
    var list = IN_LAUNCHER.matcher(Files.readString(Path.of("modeltracer")));
    assertThat(list.find()).isTrue();
    assertThat(list.group(1).split(" \\| ")).containsExactlyInAnyOrderElementsOf(loading());
  }

  /** Small models are done before an optimizing compiler pays; a shard may be small, too. */
  @Test
  void javaIsStartedForTheWork(@TempDir Path folder) throws IOException {
    Path small = Files.write(folder.resolve("small.gguf"), new byte[9]);
    Path shard = Files.write(folder.resolve("m-00001-of-00002.gguf"), new byte[9]);
    Path large = folder.resolve("large.gguf");
    try (var file = new RandomAccessFile(large.toFile(), "rw")) {
      file.setLength(17 << 20);
    }
    assertThat(Launch.work(List.of("run", "-m", "" + small))).isEqualTo(ChildJvm.Work.BRIEF);
    assertThat(Launch.work(List.of("demo"))).isEqualTo(ChildJvm.Work.BRIEF);
    assertThat(Launch.work(List.of("run", "--model=" + large))).isEqualTo(ChildJvm.Work.LARGE);
    assertThat(Launch.work(List.of("heads", "" + shard))).isEqualTo(ChildJvm.Work.LARGE);
    assertThat(Launch.work(List.of("inspect", "" + large))).isEqualTo(ChildJvm.Work.BRIEF);
    assertThat(Launch.work(List.of("inspect", "--weights", "" + large)))
        .isEqualTo(ChildJvm.Work.LARGE);
    assertThat(Launch.work(List.of("diff", "" + small, "" + small))).isEqualTo(ChildJvm.Work.SMALL);
    assertThat(Launch.work(List.of("bench", "--synthetic", "1b"))).isEqualTo(ChildJvm.Work.LARGE);
  }
}
