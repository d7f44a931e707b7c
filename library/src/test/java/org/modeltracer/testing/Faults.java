package org.modeltracer.testing;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Broken models, made from healthy ones by the edits that the fault set lists. */
public final class Faults {
  private static final JsonNode LISTED =
      JsonMapper.shared()
          .readTree(Path.of("test-fixtures", "faults", "manifest.json").toFile())
          .get("faults");

  private Faults() {}

  /** All faults, as listed. */
  public static List<JsonNode> all() {
    return LISTED.valueStream().toList();
  }

  /** Ids of the faults of a kind: {@code file} for broken headers, else numeric. */
  public static List<String> ofKind(String kind) {
    return LISTED
        .valueStream()
        .filter(f -> f.get("kind").asString().equals(kind))
        .map(f -> f.get("id").asString())
        .toList();
  }

  /** What is listed about a fault. */
  public static JsonNode get(String id) {
    return LISTED
        .valueStream()
        .filter(f -> f.get("id").asString().equals(id))
        .findAny()
        .orElseThrow(() -> new IllegalArgumentException("no fault " + id));
  }

  /**
   * Writes the fault of that id into the folder.
   *
   * @throws IllegalStateException when the result is not the file that the list describes
   */
  public static Path make(String id, Path folder) throws IOException {
    JsonNode fault = get(id);
    byte[] bytes = Files.readAllBytes(Path.of("models", fault.get("base").asString()));
    if (fault.hasNonNull("truncate_to")) {
      bytes = Arrays.copyOf(bytes, fault.get("truncate_to").asInt());
    }
    if (!fault.get("patch").isArray() && fault.get("details").has("scale")) {
      scale(bytes, fault.get("details"), Path.of("models", fault.get("base").asString()));
    }
    for (JsonNode edit : fault.get("patch")) {
      int at = edit.get("offset").asInt();
      if (edit.has("fill")) {
        Arrays.fill(bytes, at, at + edit.get("length").asInt(), (byte) edit.get("fill").asInt());
      } else {
        byte[] patch = HexFormat.of().parseHex(edit.get("hex").asString());
        System.arraycopy(patch, 0, bytes, at, patch.length);
      }
    }
    if (!sha256(bytes).equals(fault.get("sha256").asString())) {
      throw new IllegalStateException(id + ": its base or its edits are not what they were");
    }
    return Files.write(folder.resolve(id + ".gguf"), bytes);
  }

  /** Multiplies all values of an F32 tensor. */
  private static void scale(byte[] bytes, JsonNode details, Path base) {
    TensorInfo tensor = GgufFile.read(base).tensor(details.get("tensor").asString()).orElseThrow();
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int at = Math.toIntExact(tensor.offset());
    for (int end = at + 4 * (int) tensor.elements(); at < end; at += 4) {
      buffer.putFloat(at, buffer.getFloat(at) * details.get("scale").floatValue());
    }
  }

  private static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
