package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.Architectures;
import org.modeltracer.testing.Sample;

/** What is computed from shapes against what llama.cpp says that it takes. */
class MemoryNeedTest {
  private static final double MIB = 1 << 20;
  private static final int TOKENS = 8192;
  private static final Pattern KEPT = Pattern.compile("llama_kv_cache.*: size = +([0-9.]+) MiB.*");
  private static final Pattern WEIGHTS =
      Pattern.compile("print_info: file size += ([0-9.]+) MiB.*");

  static List<Path> models() {
    Stream<Path> own =
        Stream.of("tinyllama-gqa-Q4_K_M", "tinyllama-mha-f32")
            .map(n -> Path.of("models", n + ".gguf"));
    return Stream.concat(own, Sample.of(Architectures.all(), 3).stream()).toList();
  }

  @ParameterizedTest
  @MethodSource("models")
  void isWhatLlamaTakes(Path path) {
    GgufFile file = GgufFile.read(path);
    ContextOptions options =
        ContextOptions.defaults()
            .withContextTokens(TOKENS)
            .withCacheTypes(CacheType.Q8_0, CacheType.Q8_0);
    if (file.learnedPositions().isPresent()) {
      options = options.withContextTokens((int) file.learnedPositions().getAsLong());
    }
    MemoryNeed need = MemoryNeed.of(file, options);
    double[] said = new double[2];
    LlamaRuntime runtime = LlamaRuntime.load();
    runtime.onLog(
        line -> {
          said[0] += number(KEPT, line);
          said[1] += number(WEIGHTS, line);
        });
    try (LlamaModel model = runtime.open(path)) {
      model.context(options).close();
    } finally {
      runtime.onLog(line -> {});
    }
    assertThat(said[1]).isPositive();
    assertThat(need.weights() / MIB).isCloseTo(said[1], within(0.01));
    // Layers without named matrices count nothing: never more than is taken.
    assertThat(need.cache() / MIB).isLessThanOrEqualTo(said[0] + 0.02);
    if (path.getFileName().toString().matches("(tinyllama|qwen3-|gemma3|phi3|gpt2|command).*")) {
      assertThat(need.cache() / MIB).isCloseTo(said[0], within(0.02));
    }
  }

  private static double number(Pattern pattern, String line) {
    Matcher matcher = pattern.matcher(line);
    return matcher.matches() ? Double.parseDouble(matcher.group(1)) : 0;
  }
}
