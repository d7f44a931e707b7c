package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.modeltracer.llama.Setting;

/** The library speaks of its own settings; only the commands speak of options. */
class LibraryWordsTest {
  /** Sentences about other programs, with options of their own. */
  private static final Pattern OTHERS =
      Pattern.compile("llama\\.cpp takes it|llama-[a-z]+|ln -s|ulimit");

  private static final Pattern LITERAL = Pattern.compile("\"(?:[^\"\\\\]|\\\\.)*\"");

  private static Set<String> options() {
    return Main.commandLine(
            new PrintWriter(Writer.nullWriter()), new PrintWriter(Writer.nullWriter()))
        .getSubcommands()
        .values()
        .stream()
        .flatMap(command -> command.getCommandSpec().options().stream())
        .flatMap(option -> Arrays.stream(option.names()))
        .collect(Collectors.toCollection(LinkedHashSet::new));
  }

  @Test
  void noMessageOfTheLibraryNamesAnOption() throws IOException {
    Set<String> options = options();
    assertThat(options).contains("-c", "--what", "--tokens").hasSizeGreaterThan(60);
    try (var files = Files.walk(Path.of("library/src/main/java"))) {
      for (Path file : files.filter(f -> f.toString().endsWith(".java")).toList()) {
        String source = Files.readString(file);
        var literal = LITERAL.matcher(source);
        while (literal.find()) {
          String text = literal.group();
          // One word alone is an argument for another program.
          if (text.contains(" ") && !OTHERS.matcher(text).find()) {
            assertThat(text.replace("\"", "").split("[ (),;/]"))
                .as(file.toString())
                .doesNotContainAnyElementsOf(options);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Setting.class)
  void everySettingHasAnOption(Setting setting) {
    assertThat(setting.words()).isNotBlank();
    assertThat(SettingFlags.flag(setting).split("[ (),]")).containsAnyElementsOf(options());
  }
}
