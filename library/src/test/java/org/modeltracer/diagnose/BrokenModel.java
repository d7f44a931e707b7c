package org.modeltracer.diagnose;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Models of the fault set, and faults of our own: edits of the bytes of a healthy model. */
public final class BrokenModel {
  private static final JsonNode FAULTS =
      JsonMapper.shared()
          .readTree(Path.of("test-fixtures", "faults", "manifest.json").toFile())
          .get("faults");

  private final GgufFile gguf;
  private final byte[] bytes;

  /** A healthy model, to be broken. */
  BrokenModel(Path base) {
    try {
      gguf = GgufFile.read(base);
      bytes = Files.readAllBytes(base);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A healthy model of models/, to be broken. */
  public static BrokenModel of(String base) {
    return new BrokenModel(Path.of("models", base));
  }

  /** A model of the fault set, byte for byte. */
  public static Path fault(String id, Path folder) {
    JsonNode fault = manifest(id);
    BrokenModel model = of(fault.get("base").asString());
    if (fault.get("patch").isArray()) {
      fault.get("patch").forEach(model::patch);
    } else {
      JsonNode details = fault.get("details");
      model.scale(details.get("tensor").asString(), details.get("scale").floatValue());
    }
    assertThat(model.sha256()).as(id).isEqualTo(fault.get("sha256").asString());
    return model.write(folder, id);
  }

  /** What the fault set says of a fault. */
  static JsonNode manifest(String id) {
    return FAULTS
        .valueStream()
        .filter(f -> f.get("id").asString().equals(id))
        .findAny()
        .orElseThrow();
  }

  private void patch(JsonNode edit) {
    int at = edit.get("offset").asInt();
    if (edit.has("fill")) {
      Arrays.fill(bytes, at, at + edit.get("length").asInt(), (byte) edit.get("fill").asInt());
    } else {
      byte[] patch = HexFormat.of().parseHex(edit.get("hex").asString());
      System.arraycopy(patch, 0, bytes, at, patch.length);
    }
  }

  /** Multiplies all values of an F32 tensor. */
  public BrokenModel scale(String name, float factor) {
    TensorInfo tensor = tensor(name);
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < tensor.elements(); i++) {
      int at = Math.toIntExact(tensor.offset()) + 4 * i;
      buffer.putFloat(at, buffer.getFloat(at) * factor);
    }
    return this;
  }

  /** Sets one value of an F32 tensor. */
  BrokenModel set(String name, long element, float value) {
    int at = Math.toIntExact(tensor(name).offset() + 4 * element);
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putFloat(at, value);
    return this;
  }

  /** Fills bytes of a tensor with zeros. */
  public BrokenModel zero(String name, long from, long length) {
    int at = Math.toIntExact(tensor(name).offset() + from);
    Arrays.fill(bytes, at, at + Math.toIntExact(length), (byte) 0);
    return this;
  }

  /** Writes a NaN of F16 at a byte of a block of a quantized tensor. */
  BrokenModel nanInBlock(String name, long block, int offset) {
    TensorInfo tensor = tensor(name);
    int at = Math.toIntExact(tensor.offset() + block * tensor.type().blockBytes() + offset);
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putShort(at, (short) 0x7e00);
    return this;
  }

  /** Sets one value of an F32 or F16 tensor to NaN. */
  BrokenModel nan(TensorInfo tensor, long element) {
    if (tensor.type() == GgmlType.F32) {
      return set(tensor.name(), element, Float.NaN);
    }
    assertThat(tensor.type()).isEqualTo(GgmlType.F16);
    return nanInBlock(tensor.name(), element, 0);
  }

  public TensorInfo tensor(String name) {
    return find(name).orElseThrow();
  }

  Optional<TensorInfo> find(String name) {
    return gguf.tensor(name);
  }

  public Path write(Path folder, String name) {
    try {
      return Files.write(folder.resolve(name + ".gguf"), bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private String sha256() {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
