package org.modeltracer.testing;

import java.nio.file.Path;
import org.modeltracer.gguf.Metadata;

/**
 * A llama's forward pass in plain double precision, from the weights of its file.
 *
 * <p>Root-mean-square norms, rotary embedding of neighbouring pairs, grouped-query attention, SiLU
 * feed-forward (Touvron 2023). Slow, and independent of ggml.
 */
public final class LlamaReference {
  /** Weights of attention: {@code [layer][head][query][key]}, keys up to the query. */
  public final double[][][][] attention;

  /** Residual stream: {@code [layer][token][width]} after each layer. */
  public final double[][][] hidden;

  /** Input of layer 0: {@code [token][width]}. */
  public final double[][] embedding;

  /** Scores: {@code [token][vocabulary]}. */
  public final double[][] logits;

  /** Which keys a row keeps; those of the others get nothing, as if masked. */
  public interface Selection {
    /**
     * Keys kept.
     *
     * @param scores of a query of a head with all keys up to itself, before the softmax
     */
    boolean[] kept(int layer, int head, double[] scores);
  }

  private final Weights weights;
  private final Selection selection;
  private final int heads;
  private final int headWidth;
  private final int kvHeads;
  private final double epsilon;
  private final double base;

  /** Runs the model in a file on a prompt. */
  public LlamaReference(Path file, int[] ids) {
    this(file, ids, null);
  }

  /** Runs it with attention to selected keys, or where that is null to all. */
  public LlamaReference(Path file, int[] ids, Selection selection) {
    this.selection = selection;
    weights = new Weights(file);
    Metadata m = weights.file().metadata();
    int layers = (int) m.integer("llama.block_count").orElseThrow();
    int width = (int) m.integer("llama.embedding_length").orElseThrow();
    heads = (int) m.integer("llama.attention.head_count").orElseThrow();
    kvHeads = (int) m.integer("llama.attention.head_count_kv").orElse(heads);
    epsilon = m.number("llama.attention.layer_norm_rms_epsilon").orElseThrow();
    base = m.number("llama.rope.freq_base").orElse(10000);
    headWidth = width / heads;
    attention = new double[layers][heads][ids.length][];
    hidden = new double[layers][][];
    float[] table = weights.get("token_embd.weight");
    double[][] x = new double[ids.length][width];
    for (int t = 0; t < ids.length; t++) {
      for (int i = 0; i < width; i++) {
        x[t][i] = table[ids[t] * width + i];
      }
    }
    embedding = copy(x);
    for (int l = 0; l < layers; l++) {
      String block = "blk." + l + ".";
      add(x, times(block + "attn_output.weight", attend(l, norm(x, block + "attn_norm.weight"))));
      double[][] h = norm(x, block + "ffn_norm.weight");
      double[][] gate = times(block + "ffn_gate.weight", h);
      double[][] up = times(block + "ffn_up.weight", h);
      for (int t = 0; t < up.length; t++) {
        for (int i = 0; i < up[t].length; i++) {
          up[t][i] *= gate[t][i] / (1 + Math.exp(-gate[t][i]));
        }
      }
      add(x, times(block + "ffn_down.weight", up));
      hidden[l] = copy(x);
    }
    String output = weights.has("output.weight") ? "output.weight" : "token_embd.weight";
    logits = times(output, norm(x, "output_norm.weight"));
  }

  private double[][] attend(int layer, double[][] h) {
    String block = "blk." + layer + ".attn_";
    double[][] q = rotated(times(block + "q.weight", h));
    double[][] k = rotated(times(block + "k.weight", h));
    double[][] v = times(block + "v.weight", h);
    double[][] mixed = new double[h.length][heads * headWidth];
    for (int head = 0; head < heads; head++) {
      int at = head * headWidth;
      int kvAt = head / (heads / kvHeads) * headWidth;
      for (int t = 0; t < h.length; t++) {
        double[] row = attention[layer][head][t] = new double[t + 1];
        for (int s = 0; s <= t; s++) {
          double dot = 0;
          for (int i = 0; i < headWidth; i++) {
            dot += q[t][at + i] * k[s][kvAt + i];
          }
          row[s] = dot / Math.sqrt(headWidth);
        }
        boolean[] kept = selection == null ? null : selection.kept(layer, head, row);
        double sum = 0;
        for (int s = 0; s <= t; s++) {
          row[s] = kept == null || kept[s] ? Math.exp(row[s]) : 0;
          sum += row[s];
        }
        for (int s = 0; s <= t; s++) {
          row[s] /= sum;
          for (int i = 0; i < headWidth; i++) {
            mixed[t][at + i] += row[s] * v[s][kvAt + i];
          }
        }
      }
    }
    return mixed;
  }

  private double[][] rotated(double[][] x) {
    for (int t = 0; t < x.length; t++) {
      for (int i = 0; i < x[t].length; i += 2) {
        double angle = t * Math.pow(base, -(double) (i % headWidth) / headWidth);
        double a = x[t][i];
        double b = x[t][i + 1];
        x[t][i] = a * Math.cos(angle) - b * Math.sin(angle);
        x[t][i + 1] = a * Math.sin(angle) + b * Math.cos(angle);
      }
    }
    return x;
  }

  private double[][] norm(double[][] x, String weight) {
    float[] w = weights.get(weight);
    double[][] y = new double[x.length][w.length];
    for (int t = 0; t < x.length; t++) {
      double squares = 0;
      for (double e : x[t]) {
        squares += e * e;
      }
      double scale = 1 / Math.sqrt(squares / w.length + epsilon);
      for (int i = 0; i < w.length; i++) {
        y[t][i] = x[t][i] * scale * w[i];
      }
    }
    return y;
  }

  private double[][] times(String weight, double[][] x) {
    float[] w = weights.get(weight);
    int in = x[0].length;
    double[][] y = new double[x.length][w.length / in];
    for (int t = 0; t < x.length; t++) {
      for (int o = 0; o < y[t].length; o++) {
        double sum = 0;
        for (int i = 0; i < in; i++) {
          sum += w[o * in + i] * x[t][i];
        }
        y[t][o] = sum;
      }
    }
    return y;
  }

  private static void add(double[][] x, double[][] y) {
    for (int t = 0; t < x.length; t++) {
      for (int i = 0; i < x[t].length; i++) {
        x[t][i] += y[t][i];
      }
    }
  }

  private static double[][] copy(double[][] x) {
    double[][] y = new double[x.length][];
    for (int t = 0; t < x.length; t++) {
      y[t] = x[t].clone();
    }
    return y;
  }
}
