package org.modeltracer.gguf;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads a GGUF file from its first byte to the end of its tensor table. */
final class FileParser {
  private static final String MAGIC = "GGUF";
  private static final String ALIGNMENT = "general.alignment";
  private static final int DEFAULT_ALIGNMENT = 32;

  /** ggml has no limit; more than this only ever comes from a broken file. */
  private static final int LARGEST_ALIGNMENT = 1 << 20;

  private final Path path;
  private final ByteReader in;

  FileParser(Path path, ByteReader in) {
    this.path = path;
    this.in = in;
  }

  GgufFile read() throws IOException {
    magic();
    int version = version();
    long tensorCount = in.i64();
    long pairCount = in.i64();
    count(16, pairCount, "metadata entries", in.remaining() / MetadataParser.SHORTEST_PAIR);
    long forTable = in.remaining() - pairCount * MetadataParser.SHORTEST_PAIR;
    count(8, tensorCount, "tensors", forTable / TensorTableParser.SHORTEST_LINE);
    Metadata metadata = new MetadataParser(in).read(pairCount);
    long alignment = alignment(metadata);
    var table = new TensorTableParser(path, in, alignment).read(tensorCount);
    long dataOffset =
        table.isEmpty() ? in.position() : TensorTableParser.padded(in.position(), alignment);
    Map<String, TensorInfo> tensors = placed(table, dataOffset);
    alone(tensors, dataOffset, alignment);
    var shard = new Shard(path, version, in.size(), alignment, dataOffset, tensors.size());
    return new GgufFile(List.of(shard), metadata, tensors);
  }

  private void magic() throws IOException {
    if (in.size() == 0) {
      throw GgufException.at(0, "not a GGUF file: it is empty");
    }
    String magic = new String(in.bytes((int) Math.min(in.size(), 4)), StandardCharsets.ISO_8859_1);
    if (!magic.equals(MAGIC)) {
      throw GgufException.at(
          0,
          "not a GGUF file: magic is \"%s\", expected \"GGUF\"%s",
          magic,
          magic.equals("vers") ? " (a Git LFS pointer? run git lfs pull)" : "");
    }
  }

  private int version() throws IOException {
    int version = in.i32();
    if (version == 1) {
      throw GgufException.at(
          4,
          "GGUF version 1 is no longer supported, here or by llama.cpp: convert the model again");
    }
    int reversed = Integer.reverseBytes(version);
    if (reversed >= 1 && reversed <= 3) {
      throw GgufException.at(
          4, "big-endian GGUF of version %d: convert it to little-endian", reversed);
    }
    if (version != 2 && version != 3) {
      throw GgufException.at(
          4, "GGUF version %s, only 2 and 3 are known", Integer.toUnsignedString(version));
    }
    return version;
  }

  private void count(long at, long claimed, String what, long most) {
    if (claimed < 0 || claimed > most) {
      throw GgufException.at(
          at,
          "header claims %s %s, a file of %d bytes has room for at most %d",
          Long.toUnsignedString(claimed),
          what,
          in.size(),
          most);
    }
  }

  private static long alignment(Metadata metadata) {
    var value = metadata.get(ALIGNMENT);
    if (value.isEmpty()) {
      return DEFAULT_ALIGNMENT;
    }
    long at = metadata.offset(ALIGNMENT).orElseThrow();
    if (!(value.get() instanceof Value.Int alignment) || alignment.type() != ValueType.UINT32) {
      throw GgufException.at(
          at, "%s is of type %s, expected uint32", ALIGNMENT, value.get().type());
    }
    if (Long.bitCount(alignment.value()) != 1 || alignment.value() > LARGEST_ALIGNMENT) {
      throw GgufException.at(
          at,
          "%s is %d, not a power of two up to %d",
          ALIGNMENT,
          alignment.value(),
          LARGEST_ALIGNMENT);
    }
    return alignment.value();
  }

  /** The tensors with their places in the file, all of them inside it. */
  private Map<String, TensorInfo> placed(Map<String, TensorInfo> table, long dataOffset) {
    var placed = new LinkedHashMap<String, TensorInfo>();
    long needed =
        table.isEmpty() ? 0 : table.values().stream().mapToLong(TensorInfo::end).max().orElse(0);
    for (TensorInfo tensor : table.values()) {
      if (tensor.end() > in.size() - dataOffset) {
        throw GgufException.at(
            in.size(),
            "file is cut short: data of tensor \"%s\" need bytes %d to %s, the file ends before;"
                + " %s bytes are missing in all",
            tensor.name(),
            dataOffset + tensor.offset(),
            Long.toUnsignedString(dataOffset + tensor.end()),
            Long.toUnsignedString(dataOffset + needed - in.size()));
      }
      placed.put(
          tensor.name(),
          new TensorInfo(
              tensor.name(),
              tensor.type(),
              tensor.shape(),
              path,
              dataOffset + tensor.offset(),
              tensor.bytes()));
    }
    return placed;
  }

  /** Whoever joins shards with cat gets a file that begins with the first, and is only that. */
  private void alone(Map<String, TensorInfo> tensors, long dataOffset, long alignment)
      throws IOException {
    long end = tensors.values().stream().mapToLong(TensorInfo::end).max().orElse(dataOffset);
    for (long at : new long[] {end, TensorTableParser.padded(end, alignment)}) {
      if (at >= in.position() && in.size() - at >= MAGIC.length()) {
        in.skip(at - in.position());
        if (MAGIC.equals(new String(in.bytes(MAGIC.length()), StandardCharsets.ISO_8859_1))) {
          throw GgufException.at(
              at,
              "another GGUF file begins where the data of this one end: files joined with cat are"
                  + " no model; open the shards as they were, or join them with"
                  + " llama-gguf-split --merge");
        }
      }
    }
  }
}
