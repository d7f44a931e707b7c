package org.modeltracer.trace;

import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.model.Place;

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
public record QuantizationErrorTrace(
    Place place,
    String tensor,
    double mse,
    double maxAbs,
    double relativeL2,
    double cosine,
    double snrDb,
    QuantizationLevel level) {}
