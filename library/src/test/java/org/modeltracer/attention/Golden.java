package org.modeltracer.attention;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.ModelShape;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Reference attention made with PyTorch: {@code attn [layer, head, query, key]} of one prompt. */
record Golden(String model, String prompt, int[] ids, JsonNode arrays, MemorySegment data) {
  private static final Path FOLDER = Path.of("test-fixtures/goldens");
  private static final JsonMapper JSON = new JsonMapper();

  static final List<String> MODELS =
      List.of(
          "tinyllama-mha",
          "tinyllama-gqa",
          "rand-qwen2",
          "rand-gemma2",
          "rand-gpt2",
          "rand-mixtral");

  static Golden read(String model, String prompt) {
    var bin = FOLDER.resolve(model + "__" + prompt + ".bin");
    JsonNode arrays = JSON.readTree(FOLDER.resolve(model + "__" + prompt + ".json").toFile());
    arrays = arrays.get("arrays");
    try (var channel = FileChannel.open(bin)) {
      var mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), Arena.global());
      var data = MemorySegment.ofArray(mapped.toArray(ValueLayout.JAVA_BYTE));
      int n = arrays.get("ids").get("shape").get(0).asInt();
      int[] ids = new int[n];
      for (int i = 0; i < n; i++) {
        ids[i] = data.get(ValueLayout.JAVA_INT_UNALIGNED, 4L * i);
      }
      return new Golden(model, prompt, ids, arrays, data);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static List<Golden> all() {
    var all = new ArrayList<Golden>();
    for (String model : MODELS) {
      for (var prompt : metrics(model).get("prompts").propertyNames()) {
        if (Files.exists(FOLDER.resolve(model + "__" + prompt + ".bin"))) {
          all.add(read(model, prompt));
        }
      }
    }
    return all;
  }

  static JsonNode json(String file) {
    return JSON.readTree(FOLDER.resolve(file).toFile());
  }

  static JsonNode metrics(String model) {
    return json(model + ".metrics.json");
  }

  JsonNode metrics() {
    return metrics(model).get("prompts").get(prompt);
  }

  int layers() {
    return arrays.get("attn").get("shape").get(0).asInt();
  }

  int heads() {
    return arrays.get("attn").get("shape").get(1).asInt();
  }

  ModelShape shape() {
    return Matrices.shape(layers(), heads());
  }

  double rollout(int i, int j) {
    long at = arrays.get("rollout").get("offset").asLong() + 8L * (i * (long) ids.length + j);
    return data.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, at);
  }

  double rolloutEntropy(int i) {
    long at = arrays.get("rollout_row_entropy").get("offset").asLong() + 8L * i;
    return data.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, at);
  }

  TokenTrack tokens() {
    var track = new TokenTrack();
    for (JsonNode one : json("prompts.json")) {
      if (one.get("name").asString().equals(prompt)) {
        for (int i = 0; i < ids.length; i++) {
          String text = one.get("tokens").get(i).asString().replace('Ġ', ' ');
          track.append(ids[i], text, TokenKind.of(text, text.equals("<|bos|>")));
        }
      }
    }
    return track;
  }

  /** Feeds queries {@code from} to {@code to} as one forward pass of a prompt that has begun. */
  void feed(AttentionAnalyzer analyzer, int sequence, int from, int to) {
    var row = new AttentionRow();
    int n = ids.length;
    long base = arrays.get("attn").get("offset").asLong();
    for (int l = 0; l < layers(); l++) {
      for (int h = 0; h < heads(); h++) {
        for (int q = from; q < to; q++) {
          long at = base + 4L * ((((long) l * heads() + h) * n + q) * n);
          analyzer.row(row.at(l, h, sequence, q, 0, q + 1, data, at));
        }
      }
    }
    analyzer.endForward();
  }

  AttentionAnalyzer analyzed(AttentionOptions options) {
    var analyzer = new AttentionAnalyzer(shape(), options);
    analyzer.beginPrompt(0, 7, tokens());
    feed(analyzer, 0, 0, ids.length);
    return analyzer;
  }

  @Override
  public String toString() {
    return model + " " + prompt;
  }
}
