package org.modeltracer.quant;

import java.util.List;
import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.model.Pooling;

/**
 * How far the embeddings of a model are from the reference's; each window of the text is one text.
 *
 * @param pooling how the reference makes an embedding of its tokens' last states
 * @param texts number of texts
 * @param cosineMean mean over texts of the cosine between the two embeddings, −1 to 1
 * @param cosineMin smallest
 * @param worst the texts of smallest cosine, at most 100, the smallest first
 * @param level what the smallest is by the thresholds for cosines
 */
public record EmbeddingDivergence(
    Pooling pooling,
    int texts,
    double cosineMean,
    double cosineMin,
    List<Text> worst,
    QuantizationLevel level) {

  /**
   * A text.
   *
   * @param firstToken where it begins, counted in tokens over all texts
   * @param cosine between its two embeddings
   */
  public record Text(long firstToken, double cosine) {}
}
