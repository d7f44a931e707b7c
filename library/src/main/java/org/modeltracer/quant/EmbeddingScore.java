package org.modeltracer.quant;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.model.Place;
import org.modeltracer.model.Pooling;
import org.modeltracer.model.TextEmbedding;

/** Gathers the embeddings that two models make of the same texts, each as its own file says. */
final class EmbeddingScore {
  private static final int WORST = 100;

  private final Pooling pooling;
  private final Pooling otherPooling;
  private final int pair;
  private final List<EmbeddingDivergence.Text> texts = new ArrayList<>();
  private TextEmbedding reference;
  private TextEmbedding other;
  private long start;

  private EmbeddingScore(Pooling pooling, Pooling otherPooling, int pair) {
    this.pooling = pooling;
    this.otherPooling = otherPooling;
    this.pair = pair;
    reference = new TextEmbedding(pooling);
    other = new TextEmbedding(otherPooling);
  }

  /** A score where both files say how to pool and both graphs show the last states; else null. */
  static @Nullable EmbeddingScore of(GgufFile reference, GgufFile other, List<NodePair> pairs) {
    Pooling one = reference.pooling().orElse(null);
    Pooling two = other.pooling().orElse(null);
    Place state =
        Place.lastState(pairs.stream().map(p -> p.reference().place()).toList()).orElse(null);
    NodePair last =
        pairs.stream().filter(p -> p.reference().place().equals(state)).findFirst().orElse(null);
    return one == null || two == null || last == null
        ? null
        : new EmbeddingScore(one, two, last.index());
  }

  /** A text begins, so many tokens into all of them. */
  void begin(long at) {
    end();
    start = at;
    reference = new TextEmbedding(pooling);
    other = new TextEmbedding(otherPooling);
  }

  private void end() {
    if (!reference.isEmpty()) {
      texts.add(new EmbeddingDivergence.Text(start, reference.cosine(other)));
    }
  }

  /** Takes a row of a node, where the node is that of the last states. */
  void add(NodePair of, int position, float[] one, float[] two, int width) {
    if (of.index() == pair) {
      reference.add(position, one, width);
      other.add(position, two, width);
    }
  }

  /** The report; null where no text was read. */
  @Nullable EmbeddingDivergence result(Thresholds thresholds) {
    begin(start);
    if (texts.isEmpty()) {
      return null;
    }
    // One that is no number is worse than any that is.
    List<EmbeddingDivergence.Text> worst =
        texts.stream()
            .sorted(
                Comparator.comparingDouble(
                    t -> Double.isNaN(t.cosine()) ? Double.NEGATIVE_INFINITY : t.cosine()))
            .limit(WORST)
            .toList();
    double smallest = worst.getFirst().cosine();
    return new EmbeddingDivergence(
        pooling,
        texts.size(),
        texts.stream().mapToDouble(EmbeddingDivergence.Text::cosine).average().orElseThrow(),
        smallest,
        worst,
        QuantizationLevel.of(smallest, thresholds));
  }
}
