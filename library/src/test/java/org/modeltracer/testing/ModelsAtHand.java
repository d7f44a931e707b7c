package org.modeltracer.testing;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
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

  /** Numbers of tokens that are also a model's numbers of heads, experts or whatever it has. */
  public static Set<Integer> lengths(Path file) {
    var metadata = GgufFile.read(file).metadata();
    String architecture = metadata.string("general.architecture").orElseThrow();
    var lengths = new TreeSet<>(List.of(1, 2, 3, 7));
    for (String key : SIZES) {
      metadata
          .integer(architecture + "." + key)
          .ifPresent(n -> lengths.add(Math.clamp(n, 2, LONGEST)));
    }
    return lengths;
  }
}
