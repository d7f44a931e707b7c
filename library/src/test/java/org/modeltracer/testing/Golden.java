package org.modeltracer.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What PyTorch computed for a model and a prompt, all in float32.
 *
 * <p>Arrays: {@code attn [layer, head, query, key]}, {@code hidden_embed [token, width]}, {@code
 * hidden [layer, token, width]}, {@code final_norm [token, width]}, {@code logits [token,
 * vocabulary]}; in float64 {@code rollout [token, token]}, {@code rollout_row_entropy [token]}.
 *
 * @param model name of the model, without its number format
 * @param prompt name of the prompt
 * @param ids tokens of the prompt
 * @param arrays name, shape and place of each array
 * @param data all arrays
 */
public record Golden(String model, String prompt, int[] ids, JsonNode arrays, MemorySegment data) {
  /** Models with reference numbers. */
  public static final List<String> MODELS =
      List.of(
          "tinyllama-mha",
          "tinyllama-gqa",
          "rand-qwen2",
          "rand-gemma2",
          "rand-gpt2",
          "rand-mixtral");

  private static final Path FOLDER = Path.of("test-fixtures", "goldens");

  /** Numbers of one model and prompt. */
  public static Golden load(String model, String prompt) {
    JsonNode arrays = json(model + "__" + prompt + ".json").get("arrays");
    try {
      var data =
          MemorySegment.ofArray(Files.readAllBytes(FOLDER.resolve(model + "__" + prompt + ".bin")));
      int[] ids = new int[arrays.get("ids").get("shape").get(0).asInt()];
      for (int i = 0; i < ids.length; i++) {
        ids[i] = data.get(ValueLayout.JAVA_INT_UNALIGNED, 4L * i);
      }
      return new Golden(model, prompt, ids, arrays, data);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Every model with every prompt it has numbers for. */
  public static List<Golden> all() {
    var all = new ArrayList<Golden>();
    for (String model : MODELS) {
      all.add(load(model, "short"));
      if (!model.equals("rand-mixtral")) {
        all.add(load(model, "text64"));
      }
    }
    return all;
  }

  /** A file of the goldens. */
  public static JsonNode json(String file) {
    return JsonMapper.shared().readTree(FOLDER.resolve(file).toFile());
  }

  /** Prompts with their text and tokens. */
  public static JsonNode prompts() {
    return json("prompts.json");
  }

  /** A model file by name. */
  public static Path model(String file) {
    return Path.of("models", file);
  }

  /** The most exact file of the model. */
  public Path file() {
    Path f32 = model(model + "-f32.gguf");
    return Files.exists(f32) ? f32 : model(model + "-f16.gguf");
  }

  /** Whether the file holds the very weights that PyTorch computed with, not rounded ones. */
  public boolean exactFile() {
    return file().toString().endsWith("-f32.gguf");
  }

  /** Number of layers. */
  public int layers() {
    return size("attn", 0);
  }

  /** Number of query heads. */
  public int heads() {
    return size("attn", 1);
  }

  /** Size of an array in a dimension. */
  public int size(String array, int dimension) {
    return arrays.get(array).get("shape").get(dimension).asInt();
  }

  /** Byte at which an array begins in {@link #data}. */
  public long offset(String array) {
    return arrays.get(array).get("offset").asLong();
  }

  /** An element of a float32 array. */
  public float at(String array, int... index) {
    return data.get(ValueLayout.JAVA_FLOAT_UNALIGNED, offset(array) + 4 * flat(array, index));
  }

  /** An element of a float64 array. */
  public double number(String array, int... index) {
    return data.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, offset(array) + 8 * flat(array, index));
  }

  private long flat(String array, int... index) {
    long flat = 0;
    for (int d = 0; d < index.length; d++) {
      flat = flat * size(array, d) + index[d];
    }
    return flat;
  }

  /** Scores {@code [token][vocabulary]}. */
  public float[][] logits() {
    float[][] rows = new float[ids.length][size("logits", 1)];
    for (int t = 0; t < rows.length; t++) {
      for (int v = 0; v < rows[t].length; v++) {
        rows[t][v] = at("logits", t, v);
      }
    }
    return rows;
  }

  @Override
  public String toString() {
    return model + " " + prompt;
  }
}
