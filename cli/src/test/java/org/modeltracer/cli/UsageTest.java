package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever a user gets wrong is told in one line, with a hint at most, and exit code 2. */
class UsageTest {
  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          run -p x | no model; name a GGUF file, as FILE or -m FILE
          run -m MODEL | no prompt; give one with -p TEXT, -f FILE or --tokens 1,2,3
          run -m MODEL -p x --tokens 1 | give one prompt: -p, -f or --tokens
          run -m MODEL -f LATIN1 | latin1: not UTF-8 text
          run -m MODEL --tokens 1,x | '--tokens'
          run -m MODEL --tokens 384 | token 384 is outside the vocabulary of 384 tokens
          run -m MODEL --tokens -1 | -1
          run -m MODEL -f LONG | the prompt has 601 tokens, the context holds 256; a larger -c makes room
          run -m MODEL -p x --trace everything | --trace knows no 'everything'
          run -m MODEL -p x --trace-top-k 0 | top-k must be at least 1
          run -m MODEL -p x -fa maybe | -fa takes on, off or auto, not 'maybe'
          run -m MODEL -p x -ctk f7 | f7
          run -m MODEL -p x -b 0 | -b must be at least 1, not 0
          run -m MODEL -p x -n -3 | -n must be at least -2, not -3
          run -m MODEL -p x --on-anomaly explode | --on-anomaly takes continue, stop or stop-critical
          run -m MODEL -p x --kv-stats --cache-reuse -1 | --cache-reuse must be at least 0
          run -m MODEL -p x --rpc nowhere | 'nowhere' is not HOST:PORT of an RPC server
          run -m MODEL -p x --unknown | --unknown
          run -m MODEL -p x --seed -1 | --seed takes 0 to 4294967295, not -1
          run -m MODEL -p x -s 4294967296 | --seed takes 0 to 4294967295
          run -m MODEL -p x --temp -1 | --temp takes 0 or more, not -1.0
          run -m MODEL -p x --temp NaN | --temp takes 0 or more
          run -m MODEL -p x --top-p 1.5 | --top-p takes 0 to 1, not 1.5
          run -m MODEL -p x --top-k -3 | --top-k takes 1 or more, or 0 for all, not -3
          run -m MODEL -p x -t 9999 | -t: ggml computes on 512 threads at most
          run -m MODEL -p x --trace-layers 99 | the model has no layer 99; it has 0 to 3
          run -m MODEL -p x --trace-heads 0,4 | the model has no head 4; it has 0 to 3
          run -m MODEL -p x --trace-tokens 384 | the model has no token 384; it has 0 to 383
          run -m MODEL -p x -ngl99 | -ngl99: write -ngl 99
          run -m MODEL -p x -cnv | -cnv: not supported: --chat and -sys send one message
          run -m MODEL -p x -tb 4 | -tb: not supported: -t sets all threads
          run -m MODEL -p x -md MODEL | -md: not supported
          check -hf org/repo | -hf: not supported: download the file first
          check MODEL --policy NOWHERE | NOWHERE
          check MODEL --reference NOWHERE | --reference: no such file: NOWHERE
          run -m MODEL -p x --llama-lib NOWHERE/libllama.so | NOWHERE
          run -m MODEL -p x --llama-lib LONG | LONG
          run -m MODEL -p x --out LONG/sub | --out: cannot create the folder
          export -m MODEL -p x --out LONG/sub | --out: cannot create the folder
          export -m MODEL -p x --what | '--what'
          export -m MODEL | no prompt
          bench -m MODEL --rounds 0 | --rounds must be at least 1, not 0
          bench -m MODEL --prompt-tokens 250 | do not fit a context of 256
          bench | no model
          run MODEL -p hello world | one model at a time, not 'MODEL' and 'world'; a text of several words needs quotes
          lens -m MODEL other.gguf -p x | one model at a time, not 'MODEL' and 'other.gguf'
          attention MODEL other.gguf -p x | one model at a time
          heads -m MODEL -m other.gguf | one model at a time
          export other.gguf MODEL -p x | one model at a time
          perplexity MODEL other.gguf | one model at a time
          inspect MODEL other.gguf | one model at a time
          doctor -m MODEL other.gguf | one model at a time
          bench -m other.gguf MODEL | one model at a time
          diff | no model
          diff MODEL | nothing to compare with
          diff MODEL MODEL other.gguf | two models are compared; 'other.gguf' is one more
          diff -m MODEL --reference MODEL other.gguf | two models are compared
          export -m MODEL -p x --trace-layers 2-1 | '2-1' is neither a number nor a range such as 0-2
          export -m MODEL -p x --trace-layers 2-4 | --trace-layers: there is no layer 4 among [0, 1, 2, 3]
          inspect | no model
          dance | 'dance'
          """)
  void wrongUsage(String line, String message) throws IOException {
    Path latin = Files.write(folder.resolve("latin1"), new byte[] {'c', 'a', 'f', (byte) 0xE9});
    Path text = Files.writeString(folder.resolve("long"), "é".repeat(300));
    Path nowhere = folder.resolve("nowhere");
    String[] args = line.split(" ");
    for (int i = 0; i < args.length; i++) {
      args[i] =
          args[i]
              .replace("MODEL", Cli.MODEL)
              .replace("LATIN1", latin.toString())
              .replace("LONG", text.toString())
              .replace("NOWHERE", nowhere.toString());
    }
    Path out = folder.resolve("out");
    Cli cli =
        line.contains("--out") || !line.matches("(run|export|lens|attention) .*")
            ? Cli.run((Object[]) args)
            : Cli.run(with(args, "--out", out));
    assertThat(cli.code()).as(cli.err()).isEqualTo(2);
    assertOneLine(cli);
    assertThat(out).doesNotExist();
    assertThat(cli.message())
        .contains(
            message
                .replace("MODEL", Cli.MODEL)
                .replace("LONG", text.toString())
                .replace("NOWHERE", nowhere.toString()));
  }

  private static Object[] with(String[] args, Object... more) {
    Object[] all = Arrays.copyOf(args, args.length + more.length, Object[].class);
    System.arraycopy(more, 0, all, args.length, more.length);
    return all;
  }

  static void assertOneLine(Cli cli) {
    assertThat(cli.out()).isEmpty();
    assertThat(cli.message()).startsWith("modeltracer: ");
    assertThat(cli.err().lines()).as("one line and a hint").hasSizeBetween(1, 2);
    assertThat(cli.err()).doesNotContain("\tat ", "Exception");
  }

  @Test
  void anEmptyPromptIsRefusedUnlessTheModelBeginsByItself() {
    // This model puts a token before every text: with it, even an empty one is a prompt.
    Cli begins = Cli.run("run", "-m", Cli.MODEL, "-p", "", "-n", 1, "--out", folder);
    assertThat(begins.code()).as(begins.err()).isZero();
    Cli none = Cli.run("run", "-m", Cli.MODEL, "--tokens", "", "--out", folder);
    assertThat(none.code()).isEqualTo(2);
    assertOneLine(none);
  }

  @Test
  void noCommandAtAll() {
    Cli cli = Cli.run();
    assertThat(cli.code()).isEqualTo(2);
    assertOneLine(cli);
    assertThat(cli.message()).contains("no command");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--help", "run --help", "export --help", "bench --help", "--version"})
  void help(String line) {
    Cli cli = Cli.run((Object[]) line.split(" "));
    assertThat(cli.code()).isZero();
    assertThat(cli.err()).isEmpty();
    assertThat(cli.out()).isNotBlank().doesNotContain("${");
  }
}
