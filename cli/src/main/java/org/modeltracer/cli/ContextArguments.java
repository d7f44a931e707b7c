package org.modeltracer.cli;

import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import picocli.CommandLine.Option;

/** How the model is set up, in llama.cpp's own words. */
@Heading(Heading.Topic.CONTEXT)
final class ContextArguments {
  private static final int USUAL_CONTEXT = 4096;

  /** Of ggml: {@code GGML_MAX_N_THREADS}. */
  private static final int MOST_THREADS = 512;

  @Option(
      names = {"-c", "--ctx-size"},
      paramLabel = "N",
      defaultValue = "0",
      description = "Tokens of context (default: as trained, 4096 at most).")
  int context;

  @Option(
      names = {"-b", "--batch-size"},
      paramLabel = "N",
      defaultValue = "2048",
      description = "Most tokens submitted together (default: ${DEFAULT-VALUE}).")
  int batch;

  @Option(
      names = {"-ub", "--ubatch-size"},
      paramLabel = "N",
      defaultValue = "512",
      description = "Most tokens computed together (default: ${DEFAULT-VALUE}).")
  int microBatch;

  @Option(
      names = {"-t", "--threads"},
      paramLabel = "N",
      defaultValue = "0",
      description = "Threads (default: 1 below 200 MB of model, else all processors).")
  int threads;

  @Option(
      names = {"-fa", "--flash-attn"},
      paramLabel = "on|off|auto",
      arity = "0..1",
      defaultValue = "auto",
      fallbackValue = "on",
      description = "Flash attention (default: ${DEFAULT-VALUE}).")
  String flashAttention = "auto";

  @Option(
      names = {"-ctk", "--cache-type-k"},
      paramLabel = "TYPE",
      defaultValue = "f16",
      description = "Type of cached keys (default: ${DEFAULT-VALUE}).")
  String keyType = "f16";

  @Option(
      names = {"-ctv", "--cache-type-v"},
      paramLabel = "TYPE",
      defaultValue = "f16",
      description = "Type of cached values (default: ${DEFAULT-VALUE}).")
  String valueType = "f16";

  /** The options for a file, with defaults that suit its size. */
  ContextOptions options(GgufFile file) {
    atLeast("-b", batch, 1);
    atLeast("-ub", microBatch, 1);
    atLeast("-c", context, 0);
    atLeast("-t", threads, 0);
    if (threads > MOST_THREADS) {
      throw new CliException(
          ExitCode.USAGE, "-t: ggml computes on %d threads at most".formatted(MOST_THREADS));
    }
    long learned = file.learnedPositions().orElse(Long.MAX_VALUE);
    if (context > learned) {
      throw new CliException(
          ExitCode.USAGE, "-c %d: the model has learned %d positions".formatted(context, learned));
    }
    long trained = file.trainedContext().orElse(USUAL_CONTEXT);
    int tokens = context > 0 ? context : (int) Math.min(learned, Math.min(trained, USUAL_CONTEXT));
    return ContextOptions.defaults()
        .withContextTokens(tokens)
        .withBatch(batch, microBatch)
        .withThreads(threads, file)
        .withFlashAttention(flash("-fa", flashAttention))
        .withCacheTypes(CacheType.of(keyType), CacheType.of(valueType));
  }

  /**
   * What to say of a context that is longer than the model was trained on, where positions turn
   * queries and keys and the file does not stretch them.
   */
  Optional<String> beyondTraining(GgufFile file) {
    OptionalLong trained = file.trainedContext();
    String rope = file.architecture().orElse("") + ".rope.";
    boolean turned =
        file.metadata().get(rope + "dimension_count").isPresent()
            || file.metadata().get(rope + "freq_base").isPresent();
    String scaling = file.metadata().string(rope + "scaling.type").orElse("none");
    boolean stretched =
        !scaling.equals("none")
            || file.metadata().get(rope + "scale_linear").isPresent()
            || file.tensors().stream()
                .anyMatch(tensor -> tensor.name().matches(".*rope_(freqs|factors_long)\\.weight"));
    if (trained.isEmpty() || context <= trained.getAsLong() || !turned || stretched) {
      return Optional.empty();
    }
    return Optional.of(
        ("-c %d: the model was trained on %d positions, and its file stretches none beyond them"
                + " (no %sscaling.type): what comes after them is not what it learned")
            .formatted(context, trained.getAsLong(), rope));
  }

  /** What an option about flash attention says. */
  static FlashAttention flash(String option, String value) {
    return switch (value.toLowerCase(Locale.ROOT)) {
      case "on", "1", "true" -> FlashAttention.ON;
      case "off", "0", "false" -> FlashAttention.OFF;
      case "auto", "-1" -> FlashAttention.AUTO;
      default ->
          throw new CliException(
              ExitCode.USAGE, option + " takes on, off or auto, not '" + value + "'");
    };
  }

  static void atLeast(String option, int value, int least) {
    if (value < least) {
      throw new CliException(
          ExitCode.USAGE, option + " must be at least " + least + ", not " + value);
    }
  }
}
