package org.modeltracer.sparse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.sparse.IndexedModel.Kind;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * llama.cpp's own graph without the fused operation, in which every head's score is in memory.
 *
 * <p>No setting of llama.cpp v0.5.0 asks for that graph: it is meant for devices without the
 * operation. So a process of its own has a few lines of C loaded before it, which take the place of
 * the function that decides on fused operations, and turn off the member of the context that this
 * one has.
 */
class UnfusedIndexerTest {
  private static final int TOKENS = 96;
  private static final String DECIDE =
      """
      void _ZN13llama_context17resolve_fused_opsEPK22llama_memory_context_ij(
          char *context, const void *memory, unsigned tokens) {
        context[0x5a] = 0;
      }
      """;

  @TempDir private Path folder;

  /** Writes what {@link #tell} says into a file: the model's, and whether it runs in parts. */
  public static void main(String[] args) throws IOException {
    try (var out = new PrintStream(args[1])) {
      tell(Path.of(args[0]), out);
    }
  }

  /** Says whether the graph is fused, all scores of heads, and what is diagnosed. */
  private static void tell(Path file, PrintStream out) {
    LlamaRuntime runtime = LlamaRuntime.load();
    var context =
        ContextOptions.defaults()
            .withContextTokens(256)
            .withBatch(256, 40)
            .withThreads(1)
            .withFlashAttention(FlashAttention.OFF)
            .withCacheTypes(CacheType.F32, CacheType.F32);
    try (var model = runtime.open(file);
        var tracer = ModelTracer.quiet(TracerConfig.builder().build());
        var session =
            TracedSession.open(
                model,
                SessionOptions.defaults().withContext(context).withReusePrefix(false),
                tracer);
        var trace = IndexerTrace.attach(session);
        var _ = SelectionTrace.attach(session, query -> tell(query, out))) {
      out.println(
          session.survey().prompt().graph().nodes().stream()
              .anyMatch(node -> node.is(Op.LIGHTNING_INDEXER)));
      session.evaluate(IndexedModel.prompt(TOKENS), false);
      for (IndexedLayer layer : trace.report().layers()) {
        out.println(Objects.requireNonNull(layer.diagnosis()).mistake());
      }
    }
  }

  private static void tell(IndexedQuery query, PrintStream out) {
    for (int h = 0; h < query.heads(); h++) {
      for (int i = 0; i < query.size(); i++) {
        out.println(query.score(h, i));
      }
    }
  }

  private List<String> unfused(Path model) throws IOException, InterruptedException {
    Path source = Files.writeString(folder.resolve("decide.c"), DECIDE);
    Path library = folder.resolve("decide.so");
    var cc = List.of("cc", "-shared", "-fPIC", "-o", library.toString(), source.toString());
    run(new ProcessBuilder(cc));
    Path out = folder.resolve("unfused.txt");
    var command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-Xss16m",
                "-cp",
                System.getProperty("java.class.path"),
                UnfusedIndexerTest.class.getName(),
                model.toString(),
                out.toString()));
    String home = System.getProperty("modeltracer.home");
    if (home != null) {
      command.add(1, "-Dmodeltracer.home=" + home);
    }
    var java = new ProcessBuilder(command);
    java.environment().put("LD_PRELOAD", library.toString());
    run(java);
    return Files.readAllLines(out);
  }

  private static void run(ProcessBuilder builder) throws IOException, InterruptedException {
    Process process = builder.inheritIO().start();
    assertThat(process.waitFor(100, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isZero();
  }

  private static boolean canBeTaken() {
    return LlamaRuntime.load().version().startsWith("0.5.0")
        && System.getProperty("os.name").equals("Linux")
        && System.getProperty("os.arch").equals("amd64")
        && List.of("/usr/bin/cc", "/bin/cc").stream().anyMatch(cc -> Files.exists(Path.of(cc)));
  }

  @Test
  void scoresOfHeadsAreThoseOfTheGraphWithoutTheFusedOperation()
      throws IOException, InterruptedException {
    assumeTrue(canBeTaken(), "needs llama.cpp v0.5.0 on Linux x86-64, and a C compiler");
    Path model = IndexedModel.write(Kind.ROTARY_LAYOUT, folder);
    Path own = folder.resolve("fused.txt");
    main(new String[] {model.toString(), own.toString()});
    List<String> fused = Files.readAllLines(own);
    List<String> unfused = unfused(model);
    assertThat(fused.getFirst()).isEqualTo("true");
    assertThat(unfused.getFirst()).isEqualTo("false");
    int scores = 2 * 2 * TOKENS * (TOKENS + 1) / 2;
    assertThat(fused).hasSize(1 + scores + 2);
    assertThat(unfused).hasSameSizeAs(fused);
    double most = 0;
    for (int i = 1; i <= scores; i++) {
      double here = Double.parseDouble(fused.get(i));
      most = Math.max(most, Math.abs(here));
      assertThat(Double.parseDouble(unfused.get(i))).isCloseTo(here, within(1e-4));
    }
    assertThat(most).isGreaterThan(1);
    assertThat(unfused.subList(scores + 1, scores + 3)).containsOnly("ROTARY_LAYOUT");
    assertThat(fused.subList(scores + 1, scores + 3)).containsOnly("ROTARY_LAYOUT");
  }
}
