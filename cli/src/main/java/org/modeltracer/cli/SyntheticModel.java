package org.modeltracer.cli;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.DoubleConsumer;
import java.util.stream.Collectors;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.gguf.GgufHeader;
import org.modeltracer.llama.LlamaRuntime;

/**
 * A model of a public shape with random weights, for measurements that nobody has to download
 * anything for.
 *
 * <p>Weights of a matrix are uniform with variance 1 / inputs, so that activations keep their
 * scale; norms are 1. The same seed gives the same file.
 */
final class SyntheticModel {
  /**
   * What a model is made of.
   *
   * @param name as it is called
   * @param width of the residual stream
   * @param keyHeads heads that have keys of their own
   * @param hidden width of the feed-forward layers
   */
  record Shape(String name, int layers, int width, int heads, int keyHeads, int hidden) {
    /**
     * Shapes as published: GPT-2 small, Qwen2.5-0.5B, Llama-3.2-1B and Llama-3.1-8B, all with a
     * vocabulary of 32,000.
     */
    private static final List<Shape> KNOWN =
        List.of(
            new Shape("125m", 12, 768, 12, 12, 2048),
            new Shape("0.5b", 24, 896, 14, 2, 4864),
            new Shape("1b", 16, 2048, 32, 8, 8192),
            new Shape("8b", 32, 4096, 32, 8, 14336));

    /** The shape of a name: 125m, 0.5b, 1b, 8b. */
    static Shape named(String name) {
      return KNOWN.stream()
          .filter(shape -> shape.name.equalsIgnoreCase(name))
          .findFirst()
          .orElseThrow(
              () ->
                  new IllegalArgumentException(
                      "no size %s: there are %s"
                          .formatted(
                              name,
                              KNOWN.stream().map(Shape::name).collect(Collectors.joining(", ")))));
    }
  }

  private static final int VOCABULARY = 32_000;
  private static final int CONTEXT = 32_768;
  private static final int BYTES = 256;
  private static final long CHUNK = 1L << 20;

  /** A matrix, or a vector of ones where it has one row and no spread. */
  private record Weight(String name, GgmlType type, long inputs, long rows, boolean norm) {
    long elements() {
      return inputs * rows;
    }
  }

  private final List<Weight> weights = new ArrayList<>();
  private final GgufHeader header = new GgufHeader();
  private final long seed;

  /** A model of a shape, its matrices of a type. */
  SyntheticModel(Shape shape, GgmlType type, long seed) {
    this.seed = seed;
    metadata(shape, type);
    matrix("token_embd.weight", type, shape.width, VOCABULARY);
    norm("output_norm.weight", shape.width);
    matrix("output.weight", type, shape.width, VOCABULARY);
    int head = shape.width / shape.heads;
    for (int layer = 0; layer < shape.layers; layer++) {
      String block = "blk." + layer + ".";
      norm(block + "attn_norm.weight", shape.width);
      matrix(block + "attn_q.weight", type, shape.width, shape.width);
      matrix(block + "attn_k.weight", type, shape.width, (long) head * shape.keyHeads);
      matrix(block + "attn_v.weight", type, shape.width, (long) head * shape.keyHeads);
      matrix(block + "attn_output.weight", type, shape.width, shape.width);
      norm(block + "ffn_norm.weight", shape.width);
      matrix(block + "ffn_gate.weight", type, shape.width, shape.hidden);
      matrix(block + "ffn_up.weight", type, shape.width, shape.hidden);
      matrix(block + "ffn_down.weight", type, shape.hidden, shape.width);
    }
  }

  private void metadata(Shape shape, GgmlType type) {
    header
        .text("general.architecture", "llama")
        .text("general.name", "random weights, " + shape.name)
        .text("general.description", "random " + type.ggmlName() + " weights, seed " + seed)
        .number("llama.context_length", CONTEXT)
        .number("llama.embedding_length", shape.width)
        .number("llama.block_count", shape.layers)
        .number("llama.feed_forward_length", shape.hidden)
        .number("llama.attention.head_count", shape.heads)
        .number("llama.attention.head_count_kv", shape.keyHeads)
        .number("llama.rope.dimension_count", shape.width / shape.heads)
        .number("llama.attention.layer_norm_rms_epsilon", 1e-5f)
        .number("llama.vocab_size", VOCABULARY);
    vocabulary();
  }

  /** The bytes, as SentencePiece has them, and words that no text holds. */
  private void vocabulary() {
    var tokens = new ArrayList<String>(List.of("<unk>", "<s>", "</s>"));
    int special = tokens.size();
    for (int b = 0; b < BYTES; b++) {
      tokens.add("<0x%02X>".formatted(b));
    }
    while (tokens.size() < VOCABULARY) {
      tokens.add("▁word" + tokens.size());
    }
    var scores = new float[VOCABULARY];
    var types = new int[VOCABULARY];
    for (int i = 0; i < VOCABULARY; i++) {
      boolean bytes = i >= special && i < special + BYTES;
      scores[i] = i < special + BYTES ? 0 : -i;
      types[i] = i == 0 ? 2 : i < special ? 3 : bytes ? 6 : 1;
    }
    header
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", tokens)
        .numbers("tokenizer.ggml.scores", scores)
        .numbers("tokenizer.ggml.token_type", types)
        .number("tokenizer.ggml.bos_token_id", 1)
        .number("tokenizer.ggml.eos_token_id", 2)
        .number("tokenizer.ggml.unknown_token_id", 0);
  }

  private void matrix(String name, GgmlType type, long inputs, long rows) {
    add(new Weight(name, type, inputs, rows, false), inputs, rows);
  }

  private void norm(String name, long width) {
    add(new Weight(name, GgmlType.F32, width, 1, true), width);
  }

  private void add(Weight weight, long... shape) {
    header.tensor(weight.name, weight.type, shape);
    weights.add(weight);
  }

  /** Bytes of the file, but for its header's few. */
  long bytes() {
    return header.dataBytes();
  }

  /**
   * Writes the file.
   *
   * @param progress takes the share that is done, 0 to 1
   */
  void write(Path file, LlamaRuntime runtime, DoubleConsumer progress) throws IOException {
    long all = weights.stream().mapToLong(Weight::elements).sum();
    long done = 0;
    var random = new SplittableRandom(seed);
    try (var channel =
            FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        var arena = Arena.ofConfined()) {
      put(channel, header.bytes());
      MemorySegment floats = arena.allocate(4 * CHUNK, 64);
      MemorySegment blocks = arena.allocate(4 * CHUNK, 64);
      for (Weight weight : weights) {
        long most = Math.max(1, CHUNK / weight.inputs);
        long written = 0;
        for (long row = 0; row < weight.rows; row += most) {
          long rows = Math.min(most, weight.rows - row);
          fill(floats, weight, rows * weight.inputs, random);
          long bytes = runtime.quantize(weight.type, floats, blocks, rows, weight.inputs);
          put(channel, blocks.asSlice(0, bytes).asByteBuffer());
          written += bytes;
          done += rows * weight.inputs;
          progress.accept((double) done / all);
        }
        put(channel, ByteBuffer.allocate((int) (GgufHeader.padded(written) - written)));
      }
    }
  }

  private static void put(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      int ignored = channel.write(bytes);
    }
  }

  private static void fill(
      MemorySegment floats, Weight weight, long count, SplittableRandom random) {
    // Uniform on ±√(3 / inputs) has variance 1 / inputs. Each long of random bits gives two.
    float scale = (float) (Math.sqrt(3.0 / weight.inputs) / Integer.MAX_VALUE);
    for (long i = 0; i < count; i += 2) {
      long bits = weight.norm ? 0 : random.nextLong();
      float first = weight.norm ? 1 : (int) bits * scale;
      float second = weight.norm ? 1 : (int) (bits >> 32) * scale;
      floats.setAtIndex(ValueLayout.JAVA_FLOAT, i, first);
      floats.setAtIndex(ValueLayout.JAVA_FLOAT, i + 1, second);
    }
  }
}
