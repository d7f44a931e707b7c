package org.modeltracer.attach;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** Programs that other people have written: node-llama-cpp, and java-llama.cpp in two ways. */
class ForeignProgramsTest {
  private static final Path MODEL = Path.of("models", "tinyllama-mha-f32.gguf");
  private static final String PROMPT = "When you run the program";
  private static final int GENERATED = 12;

  @TempDir private static Path folder;
  private static Path agent;

  private record Query(int layer, int head, int query) {}

  @BeforeAll
  static void compile() throws Exception {
    agent = CCompiler.agent(folder);
  }

  /** Rows of the same text in a session of our own, with the token that begins texts or not. */
  private static Map<Query, float[]> own(Path library, FlashAttention flash, boolean begin) {
    return own(library, flash, begin, PROMPT);
  }

  private static Map<Query, float[]> own(
      Path library, FlashAttention flash, boolean begin, String prompt) {
    var book = new Driven.RowBook();
    var tracer = ModelTracer.quiet(TracerConfig.full());
    tracer.addListener(book);
    ContextOptions options =
        ContextOptions.defaults().withContextTokens(256).withThreads(1).withFlashAttention(flash);
    try (var model = LlamaRuntime.load(library).open(MODEL);
        var session =
            TracedSession.open(model, SessionOptions.defaults().withContext(options), tracer)) {
      int[] all = session.tokenize(prompt);
      int[] tokens = Arrays.copyOfRange(all, begin ? 0 : 1, all.length);
      session.generate(tokens, GENERATED, token -> true);
    }
    Map<Query, float[]> rows = new HashMap<>();
    book.rows.forEach(r -> rows.put(new Query(r.layer(), r.head(), r.query()), r.weights()));
    return rows;
  }

  private static void same(Map<Query, float[]> own, Map<Query, float[]> theirs, float within) {
    assertThat(theirs).hasSizeGreaterThan(16 * GENERATED);
    theirs.forEach(
        (query, weights) -> assertThat(weights).containsExactly(own.get(query), offset(within)));
  }

  private static Map<Query, float[]> rows(Driven.RowBook book) {
    Map<Query, float[]> rows = new HashMap<>();
    book.rows.forEach(r -> rows.put(new Query(r.layer(), r.head(), r.query()), r.weights()));
    return rows;
  }

  @Test
  void nodeLlamaCppIsTraced() throws Exception {
    Path program = node();
    List<String> command =
        List.of("node", "generate.js", MODEL.toAbsolutePath().toString(), "" + GENERATED);
    Process plain = new ProcessBuilder(command).directory(program.toFile()).start();
    String expected = Driven.output(plain);
    assertThat(plain.waitFor()).isEqualTo(5);
    Path library = Runtimes.embedded("v0.5.0").orElseThrow();
    try (var driven = new Driven(TracerConfig.full(), MODEL, 1 << 24, Attachment.Overflow.BLOCK)) {
      var builder = new ProcessBuilder(command).directory(program.toFile());
      driven.attachment.into(builder.environment(), agent.toAbsolutePath().toString());
      Process process = builder.start();
      assertThat(Driven.output(process)).isEqualTo(expected).isNotBlank();
      assertThat(process.waitFor()).isEqualTo(5);
      driven.attachment.close();
      assertThat(driven.notes).isEmpty();
      assertThat(driven.tracers).hasSize(2);
      Map<Query, float[]> own = own(library, FlashAttention.ON, false);
      for (Driven.RowBook book : driven.rows) {
        same(own, rows(book), 1e-6f);
      }
    }
  }

  /** The program with its libraries, fetched once; the test is left out where that cannot be. */
  private static Path node() throws Exception {
    Path source = Path.of("native", "agent", "node");
    Path home = Path.of("native", "target", "node-llama-cpp");
    Files.createDirectories(home);
    for (String name : List.of("package.json", "package-lock.json", "generate.js")) {
      Files.copy(source.resolve(name), home.resolve(name), StandardCopyOption.REPLACE_EXISTING);
    }
    if (!Files.exists(home.resolve("node_modules").resolve("node-llama-cpp"))) {
      try {
        Process npm =
            new ProcessBuilder(
                    "npm",
                    "install",
                    "--no-save",
                    "--ignore-scripts",
                    "--omit=optional",
                    "--no-audit",
                    "--no-fund")
                .directory(home.toFile())
                .redirectErrorStream(true)
                .redirectOutput(new File(folder.toFile(), "npm.log"))
                .start();
        boolean done = npm.waitFor(150, TimeUnit.SECONDS) && npm.exitValue() == 0;
        assumeTrue(done, "npm cannot fetch node-llama-cpp: not tested with it");
      } catch (IOException e) {
        assumeTrue(false, "no npm here: not tested with node-llama-cpp");
      }
    }
    return home;
  }

  @Test
  void anotherBindingInTheSameJvmIsTraced() throws Exception {
    Path library = Runtimes.embedded("b4916").orElseThrow();
    Process process = java("traced", Map.of()).start();
    List<String> lines = Driven.output(process).lines().toList();
    assertThat(process.waitFor()).isZero();
    List<String> texts = lines.stream().filter(l -> l.startsWith("TEXT ")).toList();
    assertThat(texts).hasSize(2);
    assertThat(texts.get(0)).isEqualTo(texts.get(1)).hasSizeGreaterThan(10);
    assertThat(lines).noneMatch(l -> l.startsWith("NOTE"));
    assertThat(lines.indexOf("END null " + GENERATED))
        .isLessThan(lines.indexOf("AFTER"))
        .isPositive();
    assertThat(lines.subList(lines.indexOf("AFTER"), lines.size()))
        .noneMatch(l -> l.startsWith("ROW"));
    Map<Query, float[]> theirs = new HashMap<>();
    lines.stream().filter(l -> l.startsWith("ROW ")).forEach(l -> read(l, theirs));
    same(own(library, FlashAttention.OFF, true), theirs, 1e-6f);
  }

  /** The second prompt takes back what the first has left in the cache, and goes on from there. */
  @Test
  void aCacheThatAnotherBindingReusesIsFollowed() throws Exception {
    Path library = Runtimes.embedded("b4916").orElseThrow();
    Process process = java("again", Map.of()).start();
    List<String> lines = Driven.output(process).lines().toList();
    assertThat(process.waitFor()).isZero();
    assertThat(lines).noneMatch(l -> l.startsWith("NOTE"));
    Map<Query, float[]> theirs = new HashMap<>();
    lines.subList(lines.indexOf("AGAIN"), lines.size()).stream()
        .filter(l -> l.startsWith("ROW "))
        .forEach(l -> read(l, theirs));
    Map<Query, float[]> own = own(library, FlashAttention.OFF, true, PROMPT + " again and again");
    assertThat(theirs.keySet()).noneMatch(query -> query.query() == 0);
    same(own, theirs, 1e-6f);
  }

  private static void read(String line, Map<Query, float[]> rows) {
    String[] words = line.split(" ");
    float[] weights = new float[words.length - 4];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = Float.parseFloat(words[i + 4]);
    }
    rows.put(
        new Query(
            Integer.parseInt(words[1]), Integer.parseInt(words[2]), Integer.parseInt(words[3])),
        weights);
  }

  @Test
  void anotherBindingInAnotherJvmIsTraced() throws Exception {
    Path library = Runtimes.embedded("b4916").orElseThrow();
    try (var driven = new Driven(TracerConfig.full(), MODEL, 1 << 24, Attachment.Overflow.BLOCK)) {
      Map<String, String> environment = new HashMap<>();
      driven.attachment.into(environment, agent.toAbsolutePath().toString());
      Process process = java("plain", environment).start();
      assertThat(Driven.output(process)).contains("TEXT ");
      assertThat(process.waitFor()).isZero();
      driven.attachment.close();
      assertThat(driven.notes).isEmpty();
      assertThat(driven.tracers).hasSize(1);
      same(own(library, FlashAttention.OFF, true), rows(driven.rows.getFirst()), 1e-6f);
    }
  }

  /** A Java program that uses java-llama.cpp, compiled as it starts. */
  private static ProcessBuilder java(String mode, Map<String, String> environment)
      throws IOException {
    Path binding = binding();
    Path source = folder.resolve("Foreign.java");
    try (InputStream in = ForeignProgramsTest.class.getResourceAsStream("Foreign.java")) {
      Files.copy(in, source, StandardCopyOption.REPLACE_EXISTING);
    }
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Djava.io.tmpdir=" + folder));
    command.addAll(
        List.of("-cp", binding + File.pathSeparator + System.getProperty("java.class.path")));
    command.addAll(List.of(source.toString(), MODEL.toString(), PROMPT, mode));
    var builder = new ProcessBuilder(command);
    builder.redirectError(folder.resolve("java-" + mode + ".log").toFile());
    builder.environment().putAll(environment);
    return builder;
  }

  /** The binding's jar, which the build of the natives takes its older llama.cpp from. */
  private static Path binding() throws IOException {
    String named = System.getProperty("maven.repo.local");
    Path repository =
        named == null
            ? Path.of(System.getProperty("user.home"), ".m2", "repository")
            : Path.of(named);
    Path home = repository.resolve(Path.of("de", "kherud", "llama"));
    assumeTrue(Files.isDirectory(home), "no java-llama.cpp in " + home + ": not tested with it");
    try (Stream<Path> jars = Files.walk(home)) {
      return jars.filter(f -> f.getFileName().toString().matches("llama-[0-9.]+\\.jar"))
          .findFirst()
          .orElseThrow();
    }
  }
}
