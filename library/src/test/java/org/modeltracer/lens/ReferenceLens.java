package org.modeltracer.lens;

import java.nio.file.Path;
import org.modeltracer.gguf.Metadata;
import org.modeltracer.testing.Weights;

/**
 * Final norm and output matrix in plain double precision, from the weights of a file.
 *
 * <p>Root-mean-square norm, or layer norm where the file has its bias; soft-cap where it names one.
 */
final class ReferenceLens {
  private final float[] scale;
  private final float[] shift;
  private final float[] matrix;
  private final double epsilon;
  private final double cap;

  ReferenceLens(Path file) {
    var weights = new Weights(file);
    scale = weights.get("output_norm.weight");
    shift = weights.has("output_norm.bias") ? weights.get("output_norm.bias") : new float[0];
    matrix = weights.get(weights.has("output.weight") ? "output.weight" : "token_embd.weight");
    Metadata m = weights.file().metadata();
    String architecture = m.string("general.architecture").orElseThrow();
    String norm = shift.length > 0 ? "layer_norm_epsilon" : "layer_norm_rms_epsilon";
    epsilon = m.number(architecture + ".attention." + norm).orElseThrow();
    cap = m.number(architecture + ".final_logit_softcapping").orElse(0);
  }

  /** Scores of a state. */
  double[] scores(float[] state) {
    double mean = 0;
    for (float x : state) {
      mean += shift.length > 0 ? (double) x / state.length : 0;
    }
    double squares = 0;
    for (float x : state) {
      squares += (x - mean) * (x - mean);
    }
    double size = Math.sqrt(squares / state.length + epsilon);
    double[] normed = new double[state.length];
    for (int i = 0; i < state.length; i++) {
      normed[i] = (state[i] - mean) / size * scale[i] + (shift.length > 0 ? shift[i] : 0);
    }
    double[] scores = new double[matrix.length / state.length];
    for (int v = 0; v < scores.length; v++) {
      for (int i = 0; i < state.length; i++) {
        scores[v] += matrix[v * state.length + i] * normed[i];
      }
      scores[v] = cap > 0 ? cap * Math.tanh(scores[v] / cap) : scores[v];
    }
    return scores;
  }
}
