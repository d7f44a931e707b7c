package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** Help that can be read in any width, and whose examples are no fiction. */
class HelpPageTest {
  private static final Map<Integer, CommandLine> PROGRAMS = new ConcurrentHashMap<>();

  private static CommandLine program(int width) {
    return PROGRAMS.computeIfAbsent(width, HelpPageTest::made);
  }

  private static CommandLine made(int width) {
    var program =
        Main.commandLine(new PrintWriter(new StringWriter()), new PrintWriter(new StringWriter()));
    HelpPage.of(program, () -> width);
    return program;
  }

  static Stream<String> commands() {
    return program(80).getSubcommands().keySet().stream();
  }

  private static String page(int width, String command) {
    return program(width).getSubcommands().get(command).getUsageMessage();
  }

  private static String oneLine(String text) {
    return text.replaceAll("\\s+", " ");
  }

  @ParameterizedTest
  @MethodSource("commands")
  void everyLineFitsAndNothingIsBroken(String name) {
    CommandSpec command = program(80).getSubcommands().get(name).getCommandSpec();
    for (int width : new int[] {60, 80, 120}) {
      String page = page(width, name);
      assertThat(page.lines()).allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(width));
      String words = oneLine(page);
      for (OptionSpec option : command.options()) {
        if (!option.hidden()) {
          assertThat(words).contains(String.join(", ", option.names()));
          assertThat(words).contains(String.join(" ", option.description()).replace("%%", "%"));
        }
      }
      for (String description : command.usageMessage().description()) {
        assertThat(words).contains(description);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("commands")
  void whatIsOursHasAHeading(String name) {
    List<String> general =
        page(80, name)
            .lines()
            .dropWhile(line -> !line.equals("General"))
            .takeWhile(l -> !l.isEmpty())
            .toList();
    assertThat(
            general.stream()
                .filter(line -> line.startsWith("  -"))
                .map(l -> l.strip().split("[ ,]")[0]))
        .containsExactlyInAnyOrder("--in-process", "-h", "-V");
  }

  @Test
  void runIsGrouped() {
    assertThat(page(80, "run").lines().filter(line -> line.matches("llama.cpp|[A-Z][A-Za-z ]*")))
        .containsExactly(
            "Model",
            "llama.cpp",
            "Prompt",
            "Sampling",
            "Context",
            "KV cache",
            "Tracing",
            "Output",
            "General",
            "Examples",
            "Exit codes");
  }

  @ParameterizedTest
  @MethodSource("commands")
  void examplesAreCommands(String name) {
    String[] examples =
        program(80).getSubcommands().get(name).getCommandSpec().usageMessage().footer();
    assertThat(examples).hasSizeBetween(2, 4);
    for (String example : examples) {
      assertThat(example).startsWith("modeltracer " + name);
      var words = new ArrayList<String>();
      for (String part :
          example.substring("modeltracer ".length()).split(" (?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)")) {
        words.add(part.replace("\"", ""));
      }
      // Throws for an option that does not exist or a value that is none.
      assertThat(program(80).parseArgs(words.toArray(String[]::new)).hasSubcommand()).isTrue();
      // At any width the shell reads the same words.
      assertThat(oneLine(page(60, name).replace("\\\n", " "))).contains(example);
    }
  }

  @Test
  void theListOfCommandsHasAShortSentenceForEach() {
    String page = program(80).getUsageMessage();
    assertThat(page.lines()).allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(80));
    var told = new TreeMap<String, String>();
    program(80)
        .getSubcommands()
        .forEach(
            (name, sub) -> told.put(name, sub.getCommandSpec().usageMessage().description()[0]));
    assertThat(told)
        .allSatisfy(
            (name, words) -> {
              assertThat(words)
                  .hasSizeLessThan(75)
                  .matches("[A-Z].*[a-zA-Z]\\.")
                  .doesNotContain(". ");
              assertThat(oneLine(page)).contains(name + " " + words);
            });
  }
}
