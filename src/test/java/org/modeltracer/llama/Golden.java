package org.modeltracer.llama;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What PyTorch computed for a model and a prompt.
 *
 * @param model name of the model, without its number format
 * @param ids tokens of the prompt
 * @param logits {@code [token][vocabulary]}
 */
record Golden(String model, int[] ids, float[][] logits) {
  private static final Path FOLDER = Path.of("test-fixtures", "goldens");

  static Golden load(String model, String prompt) {
    String name = model + "__" + prompt;
    JsonNode arrays = json(name + ".json").get("arrays");
    try {
      ByteBuffer data =
          ByteBuffer.wrap(Files.readAllBytes(FOLDER.resolve(name + ".bin")))
              .order(ByteOrder.LITTLE_ENDIAN);
      JsonNode shape = arrays.get("logits").get("shape");
      int tokens = shape.get(0).asInt();
      int vocabulary = shape.get(1).asInt();
      int[] ids = new int[tokens];
      data.position(arrays.get("ids").get("offset").asInt());
      data.asIntBuffer().get(ids);
      data.position(arrays.get("logits").get("offset").asInt());
      float[][] logits = new float[tokens][vocabulary];
      var floats = data.asFloatBuffer();
      for (float[] row : logits) {
        floats.get(row);
      }
      return new Golden(model, ids, logits);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Prompts with their text and tokens. */
  static JsonNode prompts() {
    return json("prompts.json");
  }

  /**
   * How close llama.cpp comes to the logits, with an F32 cache and flash attention off.
   *
   * <p>The reference was computed on unrounded weights, which only an F32 file still has.
   */
  double tolerance() {
    return file().toString().endsWith("-f32.gguf") ? 1e-4 : 1e-2;
  }

  /** The most exact file of the model. */
  Path file() {
    Path f32 = model(model + "-f32.gguf");
    return Files.exists(f32) ? f32 : model(model + "-f16.gguf");
  }

  static Path model(String file) {
    return Path.of("models", file);
  }

  private static JsonNode json(String file) {
    return JsonMapper.shared().readTree(FOLDER.resolve(file).toFile());
  }
}
