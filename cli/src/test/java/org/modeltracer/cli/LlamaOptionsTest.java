package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Options of llama.cpp's programs, with the meaning that they have there. */
class LlamaOptionsTest {
  @TempDir Path folder;

  private Cli run(Object... args) {
    Object[] fixed = {
      "run", "-m", Cli.MODEL, "--trace", "lightweight", "--json", "--out", folder.resolve("out")
    };
    return Cli.run(Stream.concat(Arrays.stream(fixed), Arrays.stream(args)).toArray(Object[]::new));
  }

  private static JsonNode prompt(Cli cli) {
    assertThat(cli.code()).as(cli.err()).isZero();
    return cli.json().get("prompt");
  }

  @Test
  void minusTwoFillsTheContext() {
    JsonNode filled = prompt(run("--tokens", "0,53,260,275", "-n", -2, "--temp", 0));
    if (!filled.get("finish").asString().equals("end_of_text")) {
      assertThat(filled.get("finish").asString()).isEqualTo("length");
      assertThat(filled.get("generated_tokens").asInt()).isEqualTo(256 - 4 + 1);
    }
    JsonNode stopped = prompt(run("--tokens", "0,53,260,275", "-n", -1, "--temp", 0));
    assertThat(stopped.get("finish").asString()).isIn("end_of_text", "context");
    assertThat(stopped.get("generated_text").asString())
        .startsWith(filled.get("generated_text").asString().substring(0, 20));
  }

  @Test
  void minusOneGoesOnToTheEndOfTheText() {
    JsonNode ruled = prompt(run("-p", "x", "-n", -1, "--grammar", "root ::= [0-9] \"!\""));
    assertThat(ruled.get("finish").asString()).isEqualTo("end_of_text");
    assertThat(ruled.get("generated_text").asString()).matches("[0-9]!");
  }

  @Test
  void grammarsComeFromFilesToo() throws IOException {
    Path rules = Files.writeString(folder.resolve("g.gbnf"), "root ::= word\nword ::= \"yes\"\n");
    JsonNode ruled = prompt(run("-p", "x", "--grammar-file", rules));
    assertThat(ruled.get("generated_text").asString()).isEqualTo("yes");
  }

  @Test
  void aDashIsStandardInput() {
    InputStream before = System.in;
    try {
      System.setIn(new ByteArrayInputStream("The dög\n".getBytes(StandardCharsets.UTF_8)));
      JsonNode read = prompt(run("-f", "-", "-n", 1));
      JsonNode typed = prompt(run("-p", "The dög", "-n", 1));
      assertThat(read.get("sha256")).isEqualTo(typed.get("sha256"));
      System.setIn(new ByteArrayInputStream(new byte[] {'a', (byte) 0xE9}));
      Cli latin = run("-f", "-");
      assertThat(latin.code()).isEqualTo(2);
      assertThat(latin.message()).isEqualTo("modeltracer: standard input: not UTF-8 text");
    } finally {
      System.setIn(before);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          a\\nb\\tc      | 61 0a 62 09 63
          \\x41\\xe2\\x82\\xac\\\\n | 41 e2 82 ac 5c 6e
          \\"\\'q\\z\\x4 | 22 27 71 5c 7a 5c 78 34
          plain           | 70 6c 61 69 6e
          """)
  void escapesAreRead(String typed, String bytes) {
    var wanted = new StringBuilder();
    for (byte b : Escapes.read(typed).getBytes(StandardCharsets.UTF_8)) {
      wanted.append(wanted.isEmpty() ? "" : " ").append("%02x".formatted(b));
    }
    assertThat(wanted).hasToString(bytes);
  }

  @Test
  void escapesAreReadWhereAskedFor() {
    JsonNode raw = prompt(run("-p", "a\\nb", "-n", 1));
    JsonNode read = prompt(run("-e", "-p", "a\\nb", "-n", 1));
    assertThat(read.get("sha256")).isEqualTo(prompt(run("-p", "a\nb", "-n", 1)).get("sha256"));
    assertThat(read.get("sha256")).isNotEqualTo(raw.get("sha256"));
    assertThat(run("--escape", "-p", "\\xff").message()).contains("not UTF-8 text");
  }

  @Test
  void penaltiesAndLeastProbabilityAreToldInTheSummary() {
    Cli cli =
        run(
            "-p",
            "The cat and the cat and the",
            "-n",
            24,
            "--temp",
            0,
            "--repeat-penalty",
            1.8,
            "--repeat-last-n",
            -1,
            "--presence-penalty",
            0.5,
            "--frequency-penalty",
            0.25,
            "--min-p",
            0.1);
    JsonNode session = cli.json().at("/config/session");
    assertThat(session.get("repeat_penalty").asDouble()).isEqualTo(1.8);
    assertThat(session.get("repeat_last_n").asInt()).isEqualTo(-1);
    assertThat(session.get("presence_penalty").asDouble()).isEqualTo(0.5);
    assertThat(session.get("frequency_penalty").asDouble()).isEqualTo(0.25);
    assertThat(session.get("min_p").asDouble()).isEqualTo(0.1);
    JsonNode free = prompt(run("-p", "The cat and the cat and the", "-n", 24, "--temp", 0));
    assertThat(prompt(cli).get("generated_text")).isNotEqualTo(free.get("generated_text"));
  }

  @Test
  void theLogIsShownOnRequest() {
    Cli quiet = run("-p", "x", "-n", 2, "--temp", 0);
    assertThat(quiet.err()).isEmpty();
    Cli mapped = run("-p", "x", "-n", 2, "--temp", 0, "-v");
    Cli read = run("-p", "x", "-n", 2, "--temp", 0, "-v", "--no-mmap");
    assertThat(mapped.err()).contains("llama_model_loader: ", "CPU_Mapped model buffer size");
    assertThat(read.err()).contains("llama_model_loader: ").doesNotContain("CPU_Mapped");
    assertThat(prompt(read)).isEqualTo(prompt(quiet));
    assertThat(run("-p", "x", "-n", 2).err()).as("the next is quiet again").isEmpty();
  }

  @Test
  void rangesOfLayersAreLists() {
    JsonNode ranged =
        Cli.run(
                "run",
                "-m",
                Cli.MODEL,
                "-p",
                "x",
                "-n",
                1,
                "--json",
                "--out",
                folder,
                "--trace-layers",
                "0-1,3,1",
                "--trace-heads",
                "2-3")
            .json()
            .at("/config/trace");
    assertThat(ranged.get("layers").valueStream().map(JsonNode::asInt)).containsExactly(0, 1, 3);
    assertThat(ranged.get("heads").valueStream().map(JsonNode::asInt)).containsExactly(2, 3);
  }

  @Test
  void aContextBeyondTrainingIsTold() {
    Cli cli = run("-p", "x", "-n", 1, "-c", 512);
    assertThat(cli.code()).isZero();
    assertThat(cli.err().lines())
        .singleElement()
        .asString()
        .startsWith("modeltracer: warning: -c 512: the model was trained on 256 positions")
        .contains("no llama.rope.scaling.type");
    assertThat(run("-p", "x", "-n", 1, "-c", 256).err()).isEmpty();
  }

  @Test
  void memoryIsCountedBeforeItIsTaken() {
    Cli cli = run("-p", "x", "-c", 2_000_000_000);
    assertThat(cli.code()).isEqualTo(2);
    assertThat(cli.err().lines())
        .singleElement()
        .asString()
        // 4 layers of 128 + 128 numbers of 2 bytes for each token.
        .contains("3814.7 GiB of KV cache (2,000,000,000 tokens, f16 and f16)", "a smaller -c");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          --min-p 1.5 | --min-p takes 0 to 1, not 1.5
          --min-p -0.1 | --min-p takes 0 to 1
          --repeat-last-n -2 | --repeat-last-n takes 0 or more, or -1 for the context, not -2
          --repeat-penalty 0 | --repeat-penalty takes more than 0
          --presence-penalty NaN | --presence-penalty takes a number
          --frequency-penalty Infinity | --frequency-penalty takes a number
          --grammar a --grammar-file b | give one grammar
          --grammar-file nowhere | no such file: nowhere
          --trace-layers 2-1 | '2-1' is neither a number nor a range such as 0-2
          --trace-layers 0-9 | the model has no layer 9; it has 0 to 3
          --trace-layers x | 'x' is neither a number nor a range
          --trace-heads 0-99999 | the model has no head 99999
          --lora-scaled a.gguf | --lora-scaled takes FILE:SCALE
          --lora-scaled a.gguf:x | --lora-scaled takes FILE:SCALE
          """)
  void whatMeansNothingIsRefused(String words, String message) {
    Object[] args = Stream.concat(Stream.of("-p", "x"), Stream.of(words.split(" "))).toArray();
    Cli cli = run(args);
    assertThat(cli.code()).as(cli.err()).isEqualTo(2);
    assertThat(cli.message()).startsWith("modeltracer: ").contains(message);
  }

  @Test
  void adaptersThatAreNoneAreBadFiles() {
    Cli model = run("-p", "x", "--lora", Cli.MODEL);
    assertThat(model.code()).isEqualTo(3);
    assertThat(model.message()).contains("is a language model, not a LoRA adapter");
    assertThat(run("-p", "x", "--lora", folder.resolve("none")).code()).isEqualTo(3);
  }
}
