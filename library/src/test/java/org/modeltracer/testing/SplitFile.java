package org.modeltracer.testing;

import static org.modeltracer.gguf.GgufBytes.join;
import static org.modeltracer.gguf.GgufBytes.text;
import static org.modeltracer.gguf.GgufBytes.u32;
import static org.modeltracer.gguf.GgufBytes.u64;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.testing.GgufAnatomy.Part;

/** Splits a model into shards, as llama-gguf-split does: metadata in the first, tensors in turn. */
public final class SplitFile {
  private static final int ALIGNMENT = 32;
  private static final int U16 = 2;
  private static final int I32 = 5;

  private final GgufFile file;
  private final byte[] bytes;

  /** A whole model. */
  public SplitFile(Path model) {
    file = GgufFile.read(model);
    try {
      bytes = Files.readAllBytes(model);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Writes {@code prefix-00001-of-0000N.gguf} and so on, about as many tensors in each. */
  public List<Path> write(Path folder, String prefix, int count) {
    var shards = new ArrayList<Path>();
    int all = file.tensors().size();
    for (int i = 0; i < count; i++) {
      Path shard = folder.resolve("%s-%05d-of-%05d.gguf".formatted(prefix, i + 1, count));
      shards.add(shard(shard, i, count, all, all * i / count, all * (i + 1) / count));
    }
    return shards;
  }

  /**
   * Writes one shard, whether or not it makes sense.
   *
   * @param no number that it claims, from 0; shard 0 gets the model's metadata
   * @param count number of shards that it claims
   * @param all number of tensors of the model that it claims
   * @param from first tensor in it, by number
   * @param to tensor after the last in it
   */
  public Path shard(Path target, int no, int count, int all, int from, int to) {
    List<TensorInfo> tensors = file.tensors().subList(from, to);
    int pairs = file.metadata().size();
    var out = new ByteArrayOutputStream();
    out.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
    out.writeBytes(join(u32(3), u64(to - from), u64(3 + (no == 0 ? pairs : 0))));
    if (no == 0) {
      out.write(bytes, 24, tableStart() - 24);
    }
    out.writeBytes(join(text("split.no"), u32(U16), u16(no)));
    out.writeBytes(join(text("split.count"), u32(U16), u16(count)));
    out.writeBytes(join(text("split.tensors.count"), u32(I32), u32(all)));
    long offset = 0;
    for (TensorInfo tensor : tensors) {
      out.writeBytes(join(text(tensor.name()), u32(tensor.shape().size())));
      tensor.shape().forEach(size -> out.writeBytes(u64(size)));
      out.writeBytes(join(u32(tensor.type().id()), u64(offset)));
      offset += tensor.bytes() + Math.floorMod(-tensor.bytes(), ALIGNMENT);
    }
    pad(out);
    for (TensorInfo tensor : tensors) {
      out.write(bytes, Math.toIntExact(tensor.offset()), Math.toIntExact(tensor.bytes()));
      pad(out);
    }
    try {
      return Files.write(target, out.toByteArray());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private int tableStart() {
    return GgufAnatomy.of(bytes).stream()
        .filter(field -> field.part() == Part.NAME_LENGTH)
        .findFirst()
        .orElseThrow()
        .offset();
  }

  private static void pad(ByteArrayOutputStream out) {
    out.writeBytes(new byte[Math.floorMod(-out.size(), ALIGNMENT)]);
  }

  private static byte[] u16(int value) {
    return new byte[] {(byte) value, (byte) (value >> 8)};
  }
}
