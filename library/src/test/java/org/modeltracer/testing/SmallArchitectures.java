package org.modeltracer.testing;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.testing.GgufAnatomy.Field;

/**
 * Writes {@code models/archs}: models of many architectures with random weights, two layers each.
 *
 * <p>Each is the header of one of llama.cpp's own test models ({@code test-fixtures/gguf-headers})
 * with its widths divided, its counts (heads, experts, tokens, convolved steps) kept.
 */
public final class SmallArchitectures {
  /** Where the written models stand. */
  public static final Path FOLDER = Path.of("models", "archs");

  private static final Path HEADERS = Path.of("test-fixtures", "gguf-headers");
  private static final long SEED = 20261126;
  private static final int ALIGNMENT = 32;

  /** Below this a size is a count. */
  private static final long LEAST_WIDTH = 64;

  private static final Pattern WIDTHS =
      Pattern.compile(
          ".*\\.(embedding_length|.*feed_forward_length|attention.*(key|value)_length.*"
              + "|attention\\.(q|kv)_lora_rank|rope\\.dimension_count.*|ssm\\.(inner|state)_size)");

  private static final Pattern BY_TOKEN =
      Pattern.compile("(token_embd|position_embd|output).weight");
  private static final Pattern ABOUT_ONE =
      Pattern.compile(".*(norm(\\.weight)?|scales?|ssm_d|rope_\\w+\\.weight)");

  /** The heads that select keys are 64, each as wide as all the rest of the layer. */
  private static final int SELECTING_HEADS = 4;

  private final int divisor;
  private final ByteBuffer header;
  private final Random random = new Random(SEED);
  private final ByteArrayOutputStream data = new ByteArrayOutputStream();

  private SmallArchitectures(String name) throws IOException {
    // Quantized caches come in blocks of 32, which no head may be narrower than.
    divisor = name.matches("(qwen3-|deepseek).*") ? 2 : 4;
    try (var in = new GZIPInputStream(Files.newInputStream(HEADERS.resolve(name + ".gz")))) {
      header = ByteBuffer.wrap(in.readAllBytes()).order(ByteOrder.LITTLE_ENDIAN);
    }
  }

  /** Names of the models, without suffix. */
  public static List<String> names() throws IOException {
    try (Stream<Path> headers = Files.list(HEADERS)) {
      return headers.map(h -> h.getFileName().toString().replace(".gz", "")).sorted().toList();
    }
  }

  /** The bytes of a model's file, the same ones each time. */
  public static byte[] bytes(String name) throws IOException {
    return new SmallArchitectures(name).make();
  }

  /** Writes all of them. */
  static void main() throws IOException {
    Files.createDirectories(FOLDER);
    for (String name : names()) {
      Files.write(FOLDER.resolve(name + ".gguf"), bytes(name));
    }
  }

  private byte[] make() {
    int dimension = 0;
    long elements = 1;
    long row = 0;
    GgmlType type = GgmlType.F32;
    for (Field field : GgufAnatomy.of(header.array())) {
      int at = field.offset();
      switch (field.part()) {
        case SCALAR -> shrink(field);
        case DIMENSIONS -> {
          dimension = 0;
          elements = 1;
        }
        case SIZE -> {
          long size = size(field.of(), dimension, header.getLong(at));
          header.putLong(at, size);
          row = dimension++ == 0 ? size : row;
          elements *= size;
        }
        case TENSOR_TYPE -> type = GgmlType.ofId(header.getInt(at)).orElseThrow();
        case OFFSET -> {
          header.putLong(at, data.size());
          fill(field.of(), type, row, Math.toIntExact(elements));
        }
        default -> {}
      }
    }
    var all = new ByteArrayOutputStream();
    all.writeBytes(header.array());
    all.writeBytes(data.toByteArray());
    return all.toByteArray();
  }

  private void shrink(Field field) {
    if (field.of().endsWith("indexer.head_count") && header.getInt(field.offset()) > 0) {
      header.putInt(field.offset(), SELECTING_HEADS);
    } else if (WIDTHS.matcher(field.of()).matches()) {
      header.putInt(field.offset(), header.getInt(field.offset()) / divisor);
    }
  }

  private long size(String tensor, int dimension, long size) {
    if (dimension == 1 && tensor.endsWith("indexer.proj.weight")) {
      return SELECTING_HEADS;
    }
    if (dimension == 1 && tensor.endsWith("indexer.attn_q_b.weight")) {
      return size / 64 / divisor * SELECTING_HEADS;
    }
    boolean count = size < LEAST_WIDTH || dimension == 1 && BY_TOKEN.matcher(tensor).matches();
    // What remains are counts that share a dimension with widths.
    return count ? size : size / divisor + size % divisor;
  }

  private void fill(String tensor, GgmlType type, long row, int elements) {
    double mean = mean(tensor);
    boolean matrix = mean == 0 && tensor.endsWith(".weight") && elements > row;
    double deviation = matrix ? deviation(tensor) / Math.sqrt((double) row) : 0.1;
    ByteBuffer values = ByteBuffer.allocate(4 * elements).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < elements; i++) {
      float value = (float) (mean + deviation * random.nextGaussian());
      if (type == GgmlType.F16) {
        values.putShort(Float.floatToFloat16(value));
      } else {
        values.putFloat(value);
      }
    }
    data.write(values.array(), 0, values.position());
    data.writeBytes(new byte[Math.floorMod(-data.size(), ALIGNMENT)]);
  }

  /** Of a product with the tensor, where its input is about 1. */
  private static double deviation(String tensor) {
    if (tensor.equals("token_embd.weight")) {
      return 8;
    }
    // Which keys are selected must not hang on a rounding.
    return tensor.contains("indexer") ? 1 : 0.35;
  }

  /** Sharper attention than this makes would be more than rounded caches can reproduce. */
  private static double mean(String tensor) {
    if (tensor.contains("ssm_a")) {
      return -1;
    }
    if (tensor.matches(".*attn_(q|k|q_a|kv_a)_norm.weight")) {
      return 0.3;
    }
    return ABOUT_ONE.matcher(tensor).matches() ? 1 : 0;
  }
}
