package org.modeltracer.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.modeltracer.gguf.GgufFile;

/** Models of every architecture at hand: generated, of the project, and beside it. */
public final class ModelsAtHand {
  private static final List<String> SIZES =
      List.of(
          "attention.head_count",
          "attention.head_count_kv",
          "expert_count",
          "expert_used_count",
          "ssm.time_step_rank");
  private static final List<String> REAL = List.of("stories260K-f32.gguf", "minilm-l2-f16.gguf");
  private static final int LONGEST = 24;

  private ModelsAtHand() {}

  /** Their files by name; a folder takes those that are generated. */
  public static Map<String, Path> in(Path folder) throws IOException {
    Map<String, Path> files = new LinkedHashMap<>();
    for (String name : TinyModels.names()) {
      files.put("tiny " + name, TinyModels.of(name).write(folder));
    }
    for (String name : List.of("rand-qwen2", "rand-gemma2", "rand-gpt2", "rand-mixtral")) {
      files.put(name, Path.of("models", name + "-f32.gguf"));
    }
    for (Path file : Architectures.all()) {
      files.put(file.getFileName().toString(), file);
    }
    return files;
  }

  /** The same with every file of {@code models/} and the real ones beside the project. */
  public static Map<String, Path> all(Path folder) throws IOException {
    Map<String, Path> files = in(folder);
    files.values().removeIf(file -> file.startsWith("models"));
    try (Stream<Path> own = Files.walk(Path.of("models"))) {
      own.filter(file -> file.toString().endsWith(".gguf"))
          .sorted()
          .forEach(file -> files.put(file.toString(), file));
    }
    for (String name : REAL) {
      Shared.find("real", name).ifPresent(file -> files.put(name, file));
    }
    return files;
  }

  /** Those of {@link #all} whose graph is one: without an encoder beside a decoder. */
  public static List<Path> ofOneGraph(Path folder) throws IOException {
    return all(folder).values().stream().filter(file -> !architecture(file).equals("t5")).toList();
  }

  private static String architecture(Path file) {
    return GgufFile.read(file).metadata().string("general.architecture").orElseThrow();
  }

  /** Numbers of tokens that are also a model's numbers of heads, experts or whatever it has. */
  public static Set<Integer> lengths(Path file) {
    var metadata = GgufFile.read(file).metadata();
    String architecture = architecture(file);
    var lengths = new TreeSet<>(List.of(1, 2, 3, 7));
    for (String key : SIZES) {
      metadata
          .integer(architecture + "." + key)
          .ifPresent(n -> lengths.add(Math.clamp(n, 2, LONGEST)));
    }
    return lengths;
  }
}
