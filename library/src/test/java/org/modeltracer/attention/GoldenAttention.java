package org.modeltracer.attention;

import java.util.List;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.ModelShape;
import org.modeltracer.testing.Golden;
import tools.jackson.databind.JsonNode;

/** Reference attention made with PyTorch, fed to a collector, and what PyTorch measured on it. */
public record GoldenAttention(Golden golden) {
  /** Of one model and prompt. */
  public static GoldenAttention load(String model, String prompt) {
    return new GoldenAttention(Golden.load(model, prompt));
  }

  static List<GoldenAttention> all() {
    return Golden.all().stream().map(GoldenAttention::new).toList();
  }

  /** What PyTorch measured. */
  public JsonNode metrics() {
    return Golden.json(golden.model() + ".metrics.json").get("prompts").get(golden.prompt());
  }

  ModelShape shape() {
    return Matrices.shape(golden.layers(), golden.heads());
  }

  TokenTrack tokens() {
    var track = new TokenTrack();
    for (JsonNode one : Golden.prompts()) {
      if (one.get("name").asString().equals(golden.prompt())) {
        for (int i = 0; i < golden.ids().length; i++) {
          String text = one.get("tokens").get(i).asString().replace('Ġ', ' ');
          track.append(golden.ids()[i], text, TokenKind.of(text, text.equals("<|bos|>")));
        }
      }
    }
    return track;
  }

  /** Feeds queries {@code from} to {@code to} as one forward pass of a prompt that has begun. */
  void feed(AttentionCollector collector, int sequence, int from, int to) {
    var row = new AttentionRow();
    int n = golden.ids().length;
    for (int l = 0; l < golden.layers(); l++) {
      for (int h = 0; h < golden.heads(); h++) {
        for (int q = from; q < to; q++) {
          long at = golden.offset("attn") + 4L * ((((long) l * golden.heads() + h) * n + q) * n);
          collector.row(row.at(l, h, sequence, q, 0, q + 1, golden.data(), at));
        }
      }
    }
    collector.endForward();
  }

  /** The whole prompt, collected in one pass. */
  public AttentionCollector collect(AttentionOptions options) {
    var collector = new AttentionCollector(shape(), options);
    collector.beginPrompt(0, 7, tokens());
    feed(collector, 0, 0, golden.ids().length);
    return collector;
  }

  @Override
  public String toString() {
    return golden.toString();
  }
}
