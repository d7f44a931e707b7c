package org.modeltracer.gate;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.modeltracer.gguf.GgufBytes;
import org.modeltracer.testing.GgufAnatomy;
import org.modeltracer.testing.GgufAnatomy.Field;
import org.modeltracer.testing.GgufAnatomy.Part;

/** Thousands of GGUF files that want to do harm, the same ones each time. */
final class HostileFiles {
  /** A file: where it comes from, and how it is made. */
  record Hostile(String name, Bytes bytes) {}

  /** Makes the bytes of a file when they are wanted. */
  interface Bytes {
    byte[] make() throws IOException;
  }

  private static final Path MODELS = Path.of("models");
  private static final Path BASE = MODELS.resolve("tinyllama-mha-Q4_0.gguf");
  private static final long SEED = 20261121;

  private final byte[] base;
  private final List<Field> fields;
  private final List<Hostile> files = new ArrayList<>();

  private HostileFiles() throws IOException {
    base = Files.readAllBytes(BASE);
    fields = GgufAnatomy.of(base);
  }

  /** All of them. */
  static List<Hostile> all() throws IOException {
    var hostile = new HostileFiles();
    hostile.numbers();
    hostile.metadata();
    hostile.names();
    hostile.pairs();
    hostile.truncations();
    hostile.archives();
    hostile.flips();
    return hostile.files;
  }

  private void add(String name, Consumer<ByteBuffer> edit) {
    files.add(
        new Hostile(
            name,
            () -> {
              byte[] bytes = base.clone();
              edit.accept(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN));
              return bytes;
            }));
  }

  /** Every number of the header set to values that no number there should have. */
  private void numbers() {
    long[] types = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 99, -1};
    long[] tensorTypes = {0, 1, 2, 3, 4, 5, 8, 12, 24, 30, 31, 36, 39, 40, 99, -1};
    long[] few = {0, 1, 3, 4, 5, 255, 1L << 31, -1};
    set(f -> f.part() == Part.VALUE_TYPE || f.part() == Part.ARRAY_TYPE, types);
    set(f -> f.part() == Part.TENSOR_TYPE, tensorTypes);
    set(f -> f.part() == Part.DIMENSIONS || f.part() == Part.VERSION, few);
    for (Field field : fields) {
      long value = field.bytes() == 8 ? at(field) : 0;
      long[] lies =
          switch (field.part()) {
            case TENSOR_COUNT, PAIR_COUNT, KEY_LENGTH, STRING_LENGTH, ARRAY_COUNT, NAME_LENGTH ->
                new long[] {
                  0, value - 1, value + 1, 1L << 31, 1L << 40, 1L << 62, Long.MIN_VALUE, -1
                };
            case SIZE ->
                new long[] {
                  0,
                  -1,
                  1,
                  value + 1,
                  value * 2,
                  value / 2,
                  1L << 31,
                  1L << 32,
                  1L << 62,
                  Long.MAX_VALUE
                };
            case OFFSET ->
                new long[] {
                  value + 1, value + 32, value - 32, 1L << 40, Long.MIN_VALUE, base.length, -1
                };
            default -> new long[0];
          };
      set(field::equals, lies);
    }
    // Sizes whose product is small again once it has gone round 2⁶⁴.
    set(
        f -> f.part() == Part.SIZE,
        new long[] {(1L << 32) + 1, (1L << 60) + 32, Long.MIN_VALUE + 128});
  }

  private long at(Field field) {
    return ByteBuffer.wrap(base).order(ByteOrder.LITTLE_ENDIAN).getLong(field.offset());
  }

  private void set(Predicate<Field> which, long[] values) {
    for (Field field : fields) {
      for (long value : which.test(field) ? values : new long[0]) {
        add(
            "%s of %s = %d".formatted(field.part(), field.of(), value),
            bytes -> {
              if (field.bytes() == 8) {
                bytes.putLong(field.offset(), value);
              } else {
                bytes.putInt(field.offset(), (int) value);
              }
            });
      }
    }
  }

  /** Numbers of the metadata that are sound GGUF and make no sense. */
  private void metadata() {
    long[] integers = {0, 1, 2, 3, 7, 255, 65535, Integer.MAX_VALUE, 1L << 31, -1};
    float[] reals = {0, -1, 1e-38f, 1e38f, Float.NaN, Float.POSITIVE_INFINITY};
    for (Field field : fields) {
      if (field.part() != Part.SCALAR) {
        continue;
      }
      for (long value : field.type() == 4 || field.type() == 5 ? integers : new long[0]) {
        add(field.of() + " = " + value, bytes -> bytes.putInt(field.offset(), (int) value));
      }
      for (float value : field.type() == 6 ? reals : new float[0]) {
        add(field.of() + " = " + value, bytes -> bytes.putFloat(field.offset(), value));
      }
      for (int value : field.type() == 7 ? new int[] {0, 1, 2, 255} : new int[0]) {
        add(field.of() + " = " + value, bytes -> bytes.put(field.offset(), (byte) value));
      }
    }
  }

  /** Names and keys that are empty of sense, twice there, or not text. */
  private void names() {
    List<Field> named =
        fields.stream().filter(f -> f.part() == Part.NAME || f.part() == Part.KEY).toList();
    for (Field field : named) {
      for (int character : new int[] {0, 0xff, '\n', 'x'}) {
        if (character != 'x' || files.size() % 4 == 0) {
          add(
              "%s with character %d".formatted(field.of(), character),
              bytes -> bytes.put(field.offset() + field.bytes() / 2, (byte) character));
        }
      }
      named.stream()
          .filter(f -> f != field && f.bytes() == field.bytes())
          .limit(2)
          .forEach(
              other ->
                  add(
                      "%s named %s too".formatted(field.of(), other.of()),
                      bytes -> bytes.put(field.offset(), base, other.offset(), other.bytes())));
    }
  }

  /** The model with one more pair. */
  private void pairs() {
    for (long alignment : new long[] {0, 1, 2, 3, 4, 8, 16, 48, 64, 1L << 31, (1L << 31) - 1, -1}) {
      pair("alignment " + alignment, new GgufBytes().u32("general.alignment", alignment));
    }
    byte[] nested = GgufBytes.join(GgufBytes.u32(9), GgufBytes.u64(1));
    byte[][] deep = new byte[10_000][];
    Arrays.fill(deep, nested);
    var many = new GgufBytes();
    for (int i = 0; i < 20_000; i++) {
      many.u32("k" + i, i);
    }
    pair("deep arrays", new GgufBytes().array("a", 9, 1, deep));
    pair("20000 keys", many);
    pair("a long text", new GgufBytes().text("general.name", "x".repeat(1 << 20)));
    pair("escapes in a name", new GgufBytes().text("general.name", "\u001b[31m\n\r\u0000%s%n"));
    pair("the architecture again", new GgufBytes().text("general.architecture", "llama"));
    pair("a template of braces", template("{{".repeat(50_000)));
    pair("a template that loops", template("{% for i in range(999999999) %}{{ i }}{% endfor %}"));
    pair("a template in templates", template("{% if a %}".repeat(20_000)));
    for (String pre : List.of("", "default", "llama-bpe", "deepseek-r1-qwen", "no such", "x\ny")) {
      pair("pre-tokenizer " + pre, new GgufBytes().text("tokenizer.ggml.pre", pre));
    }
    for (long split : new long[] {0, 2, 65535}) {
      pair("split " + split, new GgufBytes().pair("split.count", 2, GgufBytes.u32((int) split)));
    }
    for (String key :
        List.of(
            "llama.expert_count",
            "llama.expert_used_count",
            "llama.attention.key_length",
            "llama.attention.value_length",
            "llama.attention.sliding_window",
            "llama.rope.dimension_count",
            "llama.vocab_size",
            "llama.pooling_type",
            "tokenizer.ggml.eot_token_id",
            "tokenizer.ggml.padding_token_id")) {
      for (long value : new long[] {0, 1, 5, 4096, Integer.MAX_VALUE, -1}) {
        pair(key + " = " + value, new GgufBytes().u32(key, value));
      }
    }
  }

  private static GgufBytes template(String text) {
    return new GgufBytes().text("tokenizer.chat_template", text);
  }

  private void pair(String name, GgufBytes more) {
    files.add(new Hostile(name, () -> withPairs(more)));
  }

  /** The base with pairs put before its own, its data moved as the alignment asks. */
  private byte[] withPairs(GgufBytes more) {
    ByteBuffer header = ByteBuffer.wrap(more.header()).order(ByteOrder.LITTLE_ENDIAN);
    byte[] pairs = Arrays.copyOfRange(header.array(), 24, header.capacity());
    ByteBuffer old = ByteBuffer.wrap(base).order(ByteOrder.LITTLE_ENDIAN);
    Field last = fields.getLast();
    int end = last.offset() + last.bytes();
    int data = (end + 31) / 32 * 32;
    byte[] start = Arrays.copyOf(base, 24);
    ByteBuffer.wrap(start)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(16, old.getLong(16) + header.getLong(16));
    byte[] all = GgufBytes.join(start, pairs, Arrays.copyOfRange(base, 24, end));
    byte[] padding = new byte[Math.floorMod(-all.length, 32)];
    return GgufBytes.join(all, padding, Arrays.copyOfRange(base, data, base.length));
  }

  /** Every model cut at every 64th of its length, and one at every byte of its beginning. */
  private void truncations() throws IOException {
    try (var models = Files.list(MODELS)) {
      for (Path model : models.filter(m -> m.toString().endsWith(".gguf")).sorted().toList()) {
        for (int i = 0; i < 64; i++) {
          int part = i;
          files.add(
              new Hostile(
                  "%d/64 of %s".formatted(i, model.getFileName()),
                  () -> {
                    byte[] whole = Files.readAllBytes(model);
                    return Arrays.copyOf(whole, (int) ((long) whole.length * part / 64));
                  }));
        }
      }
    }
    for (int i = 1; i < 200; i++) {
      int length = i;
      files.add(new Hostile(i + " bytes", () -> Arrays.copyOf(base, length)));
    }
  }

  /** Files that are GGUF to one reader and an archive to another. */
  private void archives() throws IOException {
    var zip = new ByteArrayOutputStream();
    try (var out = new ZipOutputStream(zip)) {
      out.putNextEntry(new ZipEntry("../../evil.sh"));
      out.write("#!/bin/sh\n".getBytes(StandardCharsets.UTF_8));
    }
    byte[] archive = zip.toByteArray();
    files.add(new Hostile("an archive appended", () -> GgufBytes.join(base, archive)));
    files.add(new Hostile("an archive put before", () -> GgufBytes.join(archive, base)));
    files.add(new Hostile("the model twice", () -> GgufBytes.join(base, base)));
    files.add(new Hostile("an archive alone", () -> archive));
  }

  /** Random flips of bits and bytes: most among the numbers of the header, some in the data. */
  private void flips() {
    var random = new Random(SEED);
    int header = fields.getLast().offset() + fields.getLast().bytes();
    List<Field> numbers = fields.stream().filter(f -> f.part() != Part.TEXT).toList();
    for (int i = 0; i < 1500; i++) {
      long seed = random.nextLong();
      add("flips among numbers, seed " + seed, bytes -> flip(bytes, new Random(seed), numbers));
    }
    for (int i = 0; i < 60; i++) {
      long seed = random.nextLong();
      add("flips in the header, seed " + seed, bytes -> flip(bytes, new Random(seed), 0, header));
    }
    for (int i = 0; i < 60; i++) {
      long seed = random.nextLong();
      add(
          "flips in the data, seed " + seed,
          bytes -> flip(bytes, new Random(seed), header, base.length));
    }
  }

  private static void flip(ByteBuffer bytes, Random random, List<Field> numbers) {
    for (int n = 1 + random.nextInt(3); n > 0; n--) {
      Field field = numbers.get(random.nextInt(numbers.size()));
      int at = field.offset() + random.nextInt(Math.max(1, field.bytes()));
      bytes.put(at, (byte) (bytes.get(at) ^ 1 << random.nextInt(8)));
    }
  }

  private static void flip(ByteBuffer bytes, Random random, int from, int to) {
    for (int n = 1 + random.nextInt(16); n > 0; n--) {
      bytes.put(random.nextInt(from, to), (byte) random.nextInt());
    }
  }
}
