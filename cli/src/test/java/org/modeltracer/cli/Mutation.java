package org.modeltracer.cli;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.modeltracer.testing.GgufAnatomy;
import org.modeltracer.testing.GgufAnatomy.Field;
import org.modeltracer.testing.GgufAnatomy.Part;

/** Changes a model's file, blindly or knowing what is where; the same seed, the same change. */
final class Mutation {
  /** Beyond this, little of what is turned is a header, which is what decides. */
  private static final int HEADER = 64 << 10;

  private static final int ALIGNMENT = 32;

  private static final long[] NUMBERS = {
    0, 1, 2, 3, 5, 7, 8, 31, 64, 255, 1000, 65_536, 1 << 20, Integer.MAX_VALUE, 1L << 31, -1
  };
  private static final float[] REALS = {0, -1, 1e-30f, 1e30f, 0.5f, Float.NaN, 1f / 0};

  private static final List<String> ARCHITECTURES =
      List.of(
          "llama",
          "llama4",
          "qwen2",
          "qwen2moe",
          "qwen3",
          "qwen3moe",
          "gemma",
          "gemma2",
          "gemma3",
          "gpt2",
          "gptneox",
          "mpt",
          "bloom",
          "falcon",
          "phi2",
          "phi3",
          "olmo2",
          "command-r",
          "bert",
          "nomic-bert",
          "t5",
          "t5encoder",
          "mamba",
          "mamba2",
          "rwkv6",
          "rwkv7",
          "jamba",
          "falcon-h1",
          "deepseek",
          "deepseek2",
          "stablelm",
          "starcoder2",
          "grok",
          "dbrx",
          "gpt-oss",
          "minicpm3");

  private final Random random;
  private byte[] bytes;

  private Mutation(byte[] model, long seed) {
    bytes = model;
    random = new Random(seed);
  }

  /** A model with one to three changes; the array may be changed in place. */
  static byte[] of(byte[] model, long seed) {
    var mutation = new Mutation(model, seed);
    if (mutation.random.nextInt(3) == 0) {
      for (int n = 1 + mutation.random.nextInt(4); n > 0; n--) {
        mutation.turn();
      }
    } else {
      for (int n = 1 + mutation.random.nextInt(2); n > 0; n--) {
        mutation.rewrite();
      }
    }
    return mutation.bytes;
  }

  /** A bit, a byte, a small number over four bytes, or a piece moved. */
  private void turn() {
    int header = Math.min(bytes.length - 64, HEADER);
    int at = random.nextInt(random.nextInt(8) == 0 ? bytes.length - 64 : header);
    switch (random.nextInt(4)) {
      case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
      case 1 -> bytes[at] = (byte) random.nextInt();
      case 2 -> number(at, 4, random.nextInt(48));
      default -> System.arraycopy(bytes, random.nextInt(header), bytes, at, 1 + random.nextInt(32));
    }
  }

  /** One field of the header, changed to another that could stand there. */
  private void rewrite() {
    List<Field> fields = GgufAnatomy.of(bytes);
    switch (random.nextInt(8)) {
      case 0, 1 -> scalar(one(fields, Part.SCALAR));
      case 2 -> number(one(fields, Part.TENSOR_TYPE).offset(), 4, random.nextInt(42));
      case 3 -> size(one(fields, Part.SIZE));
      case 4 -> letter(one(fields, Part.KEY));
      case 5 -> letter(one(fields, Part.NAME));
      case 6 -> exchange(fields);
      default -> architecture();
    }
  }

  private Field one(List<Field> fields, Part part) {
    List<Field> these = fields.stream().filter(f -> f.part() == part).toList();
    return these.get(random.nextInt(these.size()));
  }

  private void number(int at, int width, long value) {
    for (int i = 0; i < width; i++) {
      bytes[at + i] = (byte) (value >> 8 * i);
    }
  }

  private void scalar(Field field) {
    boolean real = field.type() == 6;
    long value =
        real
            ? Float.floatToIntBits(REALS[random.nextInt(REALS.length)])
            : NUMBERS[random.nextInt(NUMBERS.length)];
    number(field.offset(), field.bytes(), value);
  }

  private void size(Field field) {
    long size = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(field.offset());
    long[] others = {size / 2, size * 2, size - 1, size + 1, size - 32, size + 32, 1, 0};
    number(field.offset(), 8, others[random.nextInt(others.length)]);
  }

  /** The key or the tensor is lost, or becomes another. */
  private void letter(Field text) {
    if (text.bytes() > 0) {
      int at = text.offset() + random.nextInt(text.bytes());
      boolean digit = Character.isDigit(bytes[at]);
      bytes[at] = (byte) (digit ? '0' + random.nextInt(10) : 'a' + random.nextInt(26));
    }
  }

  /** Two tensors change names. */
  private void exchange(List<Field> fields) {
    Field first = one(fields, Part.NAME);
    Field second = one(fields, Part.NAME);
    if (first.bytes() == second.bytes()) {
      byte[] name = Arrays.copyOfRange(bytes, first.offset(), first.offset() + first.bytes());
      System.arraycopy(bytes, second.offset(), bytes, first.offset(), first.bytes());
      System.arraycopy(name, 0, bytes, second.offset(), first.bytes());
    }
  }

  /** Another architecture, half of the times with the keys of the old one under its name. */
  private void architecture() {
    String next = ARCHITECTURES.get(random.nextInt(ARCHITECTURES.size()));
    bytes = renamed(bytes, next, random.nextBoolean());
  }

  /**
   * A model that says it is of another architecture; itself when it says nothing.
   *
   * @param keys whether the keys of its own are called by the other's name, too
   */
  static byte[] renamed(byte[] bytes, String next, boolean keys) {
    List<Field> fields = GgufAnatomy.of(bytes);
    int named =
        fields.stream()
            .filter(f -> f.part() == Part.KEY)
            .filter(f -> f.of().equals("general.architecture"))
            .map(fields::indexOf)
            .findFirst()
            .orElse(-1);
    if (named < 0) {
      return bytes;
    }
    String old = fields.get(named + 3).of();
    Field last = fields.getLast();
    int header = last.offset() + last.bytes();
    var text = new StringBuilder(new String(bytes, 0, header, StandardCharsets.ISO_8859_1));
    for (Field field : fields.reversed()) {
      boolean name = field == fields.get(named + 3);
      boolean key = keys && field.part() == Part.KEY && field.of().startsWith(old + ".");
      if (name || key) {
        int at = field.offset();
        text.replace(at, at + old.length(), next);
        var length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
        length.putLong(field.bytes() - old.length() + next.length());
        text.replace(at - 8, at, new String(length.array(), StandardCharsets.ISO_8859_1));
      }
    }
    text.append("\0".repeat(Math.floorMod(-text.length(), ALIGNMENT)));
    byte[] before = text.toString().getBytes(StandardCharsets.ISO_8859_1);
    int data = header + Math.floorMod(-header, ALIGNMENT);
    byte[] whole = Arrays.copyOf(before, before.length + bytes.length - data);
    System.arraycopy(bytes, data, whole, before.length, bytes.length - data);
    return whole;
  }
}
