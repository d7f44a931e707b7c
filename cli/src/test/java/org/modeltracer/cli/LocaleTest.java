package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Letters beyond ASCII in names and prompts, in whatever locale. */
@EnabledOnOs(OS.LINUX)
class LocaleTest {
  @TempDir Path folder;

  private String run(int code, String locale, String... command) throws Exception {
    Path printed = folder.resolve("printed");
    // The shell keeps the bytes that this Java may not be able to pass on.
    var builder = new ProcessBuilder("sh", "-c", String.join(" ", command));
    builder.redirectErrorStream(true).redirectOutput(printed.toFile());
    builder.environment().keySet().removeAll(List.of("LANG", "LC_ALL", "LC_CTYPE"));
    if (!locale.isEmpty()) {
      builder.environment().put("LC_ALL", locale);
    }
    Process process = builder.start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    String text = Files.readString(printed);
    assertThat(process.exitValue()).as(text).isEqualTo(code);
    return text;
  }

  private String java() {
    var words = new ArrayList<String>();
    words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    words.add("--enable-native-access=ALL-UNNAMED");
    words.add("-cp '" + System.getProperty("java.class.path") + "'");
    words.add(Main.class.getName());
    return String.join(" ", words);
  }

  /** As the launcher does it: its function, and what comes of it. */
  private static String launcher() throws IOException {
    String script = Files.readString(Path.of("modeltracer"));
    int from = script.indexOf("utf8() {");
    return script.substring(from, script.indexOf("\n}\n", from) + 3) + "utf8; exec ";
  }

  @Test
  void theLauncherKeepsNamesAndPromptsInAnyLocale() throws Exception {
    Files.copy(Path.of(Cli.MODEL), folder.resolve("plain.gguf"));
    String link = "ln -sf plain.gguf " + folder + "/mod\\303\\250le.gguf";
    run(0, "", "printf '" + link + "' | sh");
    for (String locale : List.of("", "C", "POSIX")) {
      String name = "\"$(printf '" + folder + "/mod\\303\\250le.gguf')\"";
      assertThat(run(0, locale, launcher(), java(), "inspect --no-sites", name))
          .contains("mod\u00e8le.gguf");
    }
  }

  @Test
  void withoutItTheRemedyIsTold() throws Exception {
    String name = "\"$(printf 'mod\\303\\250le.gguf')\"";
    assertThat(run(2, "C", java(), "inspect", name)).contains("start with LC_ALL=C.UTF-8");
    assertThat(run(2, "C", java(), "run -m", Cli.MODEL, "-p", name))
        .contains("start with LC_ALL=C.UTF-8")
        .hasLineCount(1);
  }

  @Test
  void aNameThatIsNoTextIsToldWithTheRemedy() throws Exception {
    run(0, "", "cp " + Cli.MODEL + " \"$(printf '" + folder + "/a\\377.gguf')\"");
    String name = "\"$(printf '" + folder + "/a\\377.gguf')\"";
    assertThat(run(3, "C.UTF-8", java(), "inspect", name))
        .contains("rename the file")
        .hasLineCount(1);
  }

  @Test
  void onlyALocaleWithoutUtf8LosesLetters() {
    assertThat(LostBytes.complaint(List.of("a\uFFFD"), StandardCharsets.UTF_8)).isEmpty();
    assertThat(LostBytes.complaint(List.of("a"), StandardCharsets.US_ASCII)).isEmpty();
    assertThat(LostBytes.complaint(List.of("a\uFFFD"), StandardCharsets.US_ASCII)).isPresent();
  }
}
