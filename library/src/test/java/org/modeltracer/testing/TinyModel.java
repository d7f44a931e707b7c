package org.modeltracer.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.modeltracer.gguf.GgufBytes;

/**
 * A GGUF file of a tiny model with random weights, made tensor by tensor.
 *
 * <p>It has no vocabulary, only a number of token ids, which all generations of llama.cpp take.
 */
public final class TinyModel {
  /** Number of token ids. */
  public static final int VOCABULARY = 96;

  /** Number of layers. */
  public static final int LAYERS = 2;

  private static final int CONTEXT = 512;
  private static final int INT32 = 5;
  private static final int FLOAT32 = 6;

  private final GgufBytes gguf = new GgufBytes();
  private final List<float[]> data = new ArrayList<>();
  private final Random random = new Random(17);
  private final String architecture;

  /** A model of an architecture, of two layers. */
  public TinyModel(String architecture) {
    this.architecture = architecture;
    gguf.text("general.architecture", architecture);
    gguf.text("tokenizer.ggml.model", "none");
    number("vocab_size", VOCABULARY);
    number("context_length", CONTEXT);
    number("block_count", LAYERS);
  }

  /** Width of the stream, of the feed-forward block, number of query and key/value heads. */
  public TinyModel sizes(int width, int hidden, int heads, int kvHeads) {
    number("embedding_length", width);
    number("feed_forward_length", hidden);
    number("attention.head_count", heads);
    return number("attention.head_count_kv", kvHeads);
  }

  /** A whole number of the architecture. */
  public TinyModel number(String key, long value) {
    gguf.u32(architecture + "." + key, value);
    return this;
  }

  /** A real number of the architecture. */
  public TinyModel real(String key, float value) {
    gguf.pair(architecture + "." + key, FLOAT32, GgufBytes.u32(Float.floatToIntBits(value)));
    return this;
  }

  /** A truth value of the architecture. */
  public TinyModel flag(String key, boolean value) {
    gguf.bool(architecture + "." + key, value);
    return this;
  }

  /** Whole numbers of the architecture, one for each layer or so. */
  public TinyModel numbers(String key, int... values) {
    byte[][] all = IntStream.of(values).mapToObj(GgufBytes::u32).toArray(byte[][]::new);
    gguf.array(architecture + "." + key, INT32, values.length, all);
    return this;
  }

  /** A whole number outside the architecture's own. */
  public TinyModel global(String key, long value) {
    gguf.u32(key, value);
    return this;
  }

  /** Random weights, the fastest dimension first, whose products keep their input's size. */
  public TinyModel weight(String name, int... shape) {
    return tensor(name, 0, 1.3 / Math.sqrt(shape[0]), shape);
  }

  /** Random token or position embeddings. */
  public TinyModel table(String name, int... shape) {
    return tensor(name, 0, 1, shape);
  }

  /** Weights of a norm, about 1. */
  public TinyModel norm(String name, int width) {
    return tensor(name, 1, 0.1, width);
  }

  /** Shifts, about 0. */
  public TinyModel bias(String name, int width) {
    return tensor(name, 0, 0.1, width);
  }

  /** Weights and shifts of a norm. */
  public TinyModel normAndBias(String name, int width) {
    return norm(name + ".weight", width).bias(name + ".bias", width);
  }

  /** A weight with shifts. */
  public TinyModel weightAndBias(String name, int in, int out) {
    return weight(name + ".weight", in, out).bias(name + ".bias", out);
  }

  /** Random numbers of a mean and a deviation. */
  public TinyModel tensor(String name, double mean, double deviation, int... shape) {
    float[] values = new float[IntStream.of(shape).reduce(1, (a, b) -> a * b)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (mean + deviation * random.nextGaussian());
    }
    return tensor(name, values, shape);
  }

  /** Numbers that are known, the fastest dimension first. */
  public TinyModel tensor(String name, float[] values, int... shape) {
    gguf.tensor(name, IntStream.of(shape).asLongStream().toArray());
    data.add(values.clone());
    return this;
  }

  /** Writes the file. */
  public Path write(Path folder) {
    byte[] bytes = gguf.bytes();
    int at = bytes.length;
    for (float[] values : data) {
      at -= padded(values.length);
    }
    for (float[] values : data) {
      ByteBuffer.wrap(bytes, at, 4 * values.length)
          .order(ByteOrder.LITTLE_ENDIAN)
          .asFloatBuffer()
          .put(values);
      at += padded(values.length);
    }
    try {
      return Files.write(folder.resolve(architecture + ".gguf"), bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static int padded(int floats) {
    return (4 * floats + 31) / 32 * 32;
  }
}
