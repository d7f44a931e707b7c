package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

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
        .filter(name -> !Set.of("check", "doctor", "attach").contains(name))
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
