package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import picocli.CommandLine.Command;

/** Which commands run their model in a process of its own: said in three places, the same ones. */
class LaunchTest {
  private static final Pattern IN_LAUNCHER =
      Pattern.compile("(?m)^ *(\\w+(?: \\| \\w+)+)\\) waits=");

  /** Those of the program but {@code check} and {@code doctor}, which have workers. */
  private static List<String> loading() {
    return Arrays.stream(Main.class.getAnnotation(Command.class).subcommands())
        .map(command -> command.getAnnotation(Command.class).name())
        .filter(name -> !name.equals("check") && !name.equals("doctor"))
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
}
