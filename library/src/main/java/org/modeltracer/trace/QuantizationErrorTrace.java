package org.modeltracer.trace;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;

/**
 * How far a tensor of a quantized model is from the reference model's.
 *
 * @param place where in the transformer
 * @param tensor name in llama.cpp's graph
 * @param mse mean squared error
 * @param maxAbs largest absolute error
 * @param relativeL2 ‖error‖ / ‖reference‖
 * @param cosine cosine between the two, -1 to 1
 * @param snrDb signal to noise ratio in dB; infinite when they are equal
 * @param level verdict by cosine
 */
@JsonPropertyOrder({"layer", "site"})
public record QuantizationErrorTrace(
    @JsonIgnore Place place,
    String tensor,
    double mse,
    double maxAbs,
    double relativeL2,
    double cosine,
    double snrDb,
    QuantizationLevel level) {

  /** Layer index, -1 for the embedding, null for what belongs to no layer. */
  @JsonProperty
  public @Nullable Integer layer() {
    return place.layerOrNull();
  }

  /** Kind of place. */
  @JsonProperty
  public Site site() {
    return place.site();
  }
}
