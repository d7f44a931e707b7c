package org.modeltracer.sparse;

import static org.modeltracer.testing.TinyModel.LAYERS;
import static org.modeltracer.testing.TinyModel.VOCABULARY;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.modeltracer.testing.TinyModel;

/**
 * A tiny {@code deepseek32} model whose attention and whose indexer are made, not learnt.
 *
 * <p>A token is a vector of ±1, which norms leave as it is, and blocks add nothing to it. Attention
 * scores are {@code R(Q x_t) · R(x_s)} with rotary positions R, of neighbouring dimensions. The
 * indexer's key is the first half of the token beside its negative, which a layer norm leaves as it
 * is. Its first head asks what attention asks, in half-split order; its second the opposite with
 * the opposite weight, so that {@code ReLU(d) − ReLU(−d) = d}: index scores are attention scores.
 * Its weights hang on the last number of a token alone, which is 1.
 */
public final class IndexedModel {
  /** Keys that are selected. */
  public static final int TOP_K = 32;

  private static final int WIDTH = 64;
  private static final int ROTATED = 32;
  private static final int NOPE = 32;
  private static final int LATENT = 32;
  private static final int HEADS = 2;
  private static final float BASE = 1.5f;
  private static final double SHARPNESS = 0.25;

  /** More than any product is. */
  private static final double SHIFT = 200;

  /** What is wrong with an indexer. */
  public enum Kind {
    IDEAL,
    SHUFFLED,
    ROTARY_LAYOUT,
    HADAMARD,
    RELU,
    HEAD_WEIGHTS,
    POSITION_LATER,
    POSITION_EARLIER,
    SCALE
  }

  private final Kind kind;
  private final Random random = new Random(5);
  private final double[][] asked = new double[ROTATED][WIDTH];

  private IndexedModel(Kind kind) {
    this.kind = kind;
    for (double[] row : asked) {
      for (int i = 0; i < WIDTH - 1; i++) {
        row[i] = SHARPNESS * random.nextGaussian();
      }
    }
  }

  /** Writes a model of two layers. */
  public static Path write(Kind kind, Path folder) {
    return new IndexedModel(kind).model().write(folder);
  }

  /** Attention over all keys, by query, as the description above has it. */
  static double[][] attention(int[] prompt) {
    var made = new IndexedModel(Kind.IDEAL);
    double[][] scores = made.scores(made.asked, prompt);
    for (double[] row : scores) {
      double top = Arrays.stream(row).max().orElseThrow();
      double sum = Arrays.stream(row).map(s -> Math.exp(s - top)).sum();
      Arrays.setAll(row, i -> Math.exp(row[i] - top) / sum);
    }
    return scores;
  }

  /** Index scores, by query, of the ideal or the shuffled indexer. */
  public static double[][] indexScores(Kind kind, int[] prompt) {
    var made = new IndexedModel(kind);
    return made.scores(kind == Kind.SHUFFLED ? made.shuffled() : made.asked, prompt);
  }

  private double[][] scores(double[][] of, int[] prompt) {
    float[] tokens = tokens();
    var scores = new double[prompt.length][];
    for (int t = 0; t < prompt.length; t++) {
      scores[t] = new double[t + 1];
      double[] query = new double[ROTATED];
      for (int i = 0; i < ROTATED; i++) {
        for (int x = 0; x < WIDTH; x++) {
          query[i] += of[i][x] * tokens[prompt[t] * WIDTH + x];
        }
      }
      for (int s = 0; s <= t; s++) {
        for (int i = 0; i < ROTATED / 2; i++) {
          double angle = (t - s) * Math.pow(BASE, -2.0 * i / ROTATED);
          double a = tokens[prompt[s] * WIDTH + 2 * i];
          double b = tokens[prompt[s] * WIDTH + 2 * i + 1];
          double along = query[2 * i] * a + query[2 * i + 1] * b;
          double across = query[2 * i] * b - query[2 * i + 1] * a;
          scores[t][s] += along * Math.cos(angle) + across * Math.sin(angle);
        }
        scores[t][s] /= Math.sqrt(NOPE + ROTATED);
      }
    }
    return scores;
  }

  private TinyModel model() {
    // Positions hardly turn where the planted mistake is about something else that must commute.
    boolean still = kind == Kind.HADAMARD;
    TinyModel m =
        new TinyModel("deepseek32")
            .sizes(WIDTH, WIDTH, 1, 1)
            .number("leading_dense_block_count", LAYERS)
            .number("expert_count", 2)
            .number("expert_used_count", 1)
            .number("expert_shared_count", 1)
            .number("expert_feed_forward_length", WIDTH)
            .number("expert_gating_func", 2)
            .number("attention.key_length", LATENT + ROTATED)
            .number("attention.value_length", LATENT)
            .number("attention.key_length_mla", NOPE + ROTATED)
            .number("attention.value_length_mla", NOPE)
            .number("attention.q_lora_rank", WIDTH)
            .number("attention.kv_lora_rank", LATENT)
            .number("attention.indexer.head_count", HEADS)
            .number("attention.indexer.key_length", WIDTH)
            .number("attention.indexer.top_k", TOP_K)
            .number("rope.dimension_count", ROTATED)
            .real("rope.freq_base", BASE)
            .real("rope.scale_linear", still ? 1e6f : 1)
            .real("attention.layer_norm_rms_epsilon", 1e-6f)
            .real("attention.layer_norm_epsilon", 1e-6f);
    m.tensor("token_embd.weight", tokens(), WIDTH, VOCABULARY);
    for (int l = 0; l < LAYERS; l++) {
      layer(m, "blk." + l + ".");
    }
    m.tensor("output_norm.weight", ones(WIDTH), WIDTH);
    return m.weight("output.weight", WIDTH, VOCABULARY);
  }

  private void layer(TinyModel m, String block) {
    m.tensor(block + "attn_norm.weight", ones(WIDTH), WIDTH)
        .tensor(block + "attn_q_a.weight", identity(WIDTH), WIDTH, WIDTH)
        .tensor(block + "attn_q_a_norm.weight", ones(WIDTH), WIDTH)
        .tensor(block + "attn_q_b.weight", flat(padded(NOPE, asked)), WIDTH, NOPE + ROTATED)
        .tensor(
            block + "attn_kv_a_mqa.weight",
            flat(padded(LATENT, identityRows(ROTATED))),
            WIDTH,
            LATENT + ROTATED)
        .tensor(block + "attn_kv_a_norm.weight", ones(LATENT), LATENT)
        .tensor(block + "attn_k_b.weight", 0, 0, NOPE, LATENT, 1)
        .tensor(block + "attn_v_b.weight", 0, 0, LATENT, NOPE, 1)
        .tensor(block + "attn_output.weight", 0, 0, NOPE, WIDTH)
        .tensor(block + "ffn_norm.weight", ones(WIDTH), WIDTH)
        .tensor(block + "ffn_gate.weight", 0, 0, WIDTH, WIDTH)
        .tensor(block + "ffn_up.weight", 0, 0, WIDTH, WIDTH)
        .tensor(block + "ffn_down.weight", 0, 0, WIDTH, WIDTH)
        .tensor(block + "indexer.attn_k.weight", flat(keys()), WIDTH, WIDTH)
        .tensor(block + "indexer.k_norm.weight", ones(WIDTH), WIDTH)
        .tensor(block + "indexer.k_norm.bias", new float[WIDTH], WIDTH)
        .tensor(block + "indexer.attn_q_b.weight", flat(queries()), WIDTH, HEADS * WIDTH)
        .tensor(block + "indexer.proj.weight", flat(weights()), WIDTH, HEADS);
  }

  /** The last number is always 1, and one the negative of its neighbour. */
  private float[] tokens() {
    var values = new float[WIDTH * VOCABULARY];
    for (int i = 0; i < values.length; i++) {
      boolean one = i % WIDTH == WIDTH - 1 || random.nextBoolean();
      values[i] = i % WIDTH == ROTATED - 1 ? -values[i - 1] : one ? 1 : -1;
    }
    return values;
  }

  private double[][] keys() {
    var rows = new double[WIDTH][];
    double[][] half = arranged(identityRows(ROTATED));
    for (int i = 0; i < ROTATED; i++) {
      rows[i] = half[i];
      rows[ROTATED + i] = negative(identityRows(ROTATED)[i]);
    }
    // Those two add up to nothing by themselves, which leaves room for a number that is known.
    rows[WIDTH - 2] = new double[WIDTH];
    rows[WIDTH - 2][WIDTH - 1] = 1;
    rows[WIDTH - 1] = negative(rows[WIDTH - 2]);
    return rows;
  }

  private double[][] queries() {
    double[][] half =
        switch (kind) {
          case SHUFFLED -> arranged(shuffled());
          // Taken back by the mistake's remedy: the query turned one step the other way.
          case POSITION_LATER -> arranged(turned(-1));
          case POSITION_EARLIER -> arranged(turned(1));
          default -> arranged(asked);
        };
    var rows = new double[HEADS * WIDTH][WIDTH];
    boolean single = kind == Kind.RELU || kind == Kind.HEAD_WEIGHTS;
    for (int i = 0; i < ROTATED; i++) {
      rows[i] = half[i];
      rows[WIDTH + i] = single ? new double[WIDTH] : negative(half[i]);
    }
    if (single) {
      rows[WIDTH - 2][WIDTH - 1] = kind == Kind.RELU ? -SHIFT : SHIFT;
    }
    return kind == Kind.HADAMARD ? hadamard(rows) : rows;
  }

  /** Of each head, for a token whose last number is 1; the graph divides by √(width · heads). */
  private double[][] weights() {
    double scale = Math.sqrt(WIDTH * HEADS) / Math.sqrt(NOPE + ROTATED);
    double factor = kind == Kind.SCALE ? 16 : 1;
    var rows = new double[HEADS][WIDTH];
    rows[0][WIDTH - 1] = kind == Kind.HEAD_WEIGHTS ? -scale : scale * factor;
    rows[1][WIDTH - 1] = -scale * factor;
    return rows;
  }

  private double[][] shuffled() {
    var rows = new double[ROTATED][WIDTH];
    var other = new Random(99);
    for (double[] row : rows) {
      for (int i = 0; i < WIDTH - 1; i++) {
        row[i] = SHARPNESS * other.nextGaussian();
      }
    }
    return rows;
  }

  /** Neighbours put half the vector apart, but for the mistake that is not doing so. */
  private double[][] arranged(double[][] rows) {
    if (kind == Kind.ROTARY_LAYOUT) {
      return rows;
    }
    var apart = new double[ROTATED][];
    for (int i = 0; i < ROTATED / 2; i++) {
      apart[i] = rows[2 * i];
      apart[ROTATED / 2 + i] = rows[2 * i + 1];
    }
    return apart;
  }

  private double[][] turned(int position) {
    var rows = new double[ROTATED][WIDTH];
    for (int i = 0; i < ROTATED / 2; i++) {
      double angle = position * Math.pow(BASE, -2.0 * i / ROTATED);
      for (int x = 0; x < WIDTH; x++) {
        double a = asked[2 * i][x];
        double b = asked[2 * i + 1][x];
        rows[2 * i][x] = a * Math.cos(angle) - b * Math.sin(angle);
        rows[2 * i + 1][x] = a * Math.sin(angle) + b * Math.cos(angle);
      }
    }
    return rows;
  }

  private static double[][] hadamard(double[][] rows) {
    var mixed = new double[rows.length][WIDTH];
    for (int h = 0; h < HEADS; h++) {
      for (int i = 0; i < WIDTH; i++) {
        for (int j = 0; j < WIDTH; j++) {
          double sign = Integer.bitCount(i & j) % 2 == 0 ? 1 : -1;
          for (int x = 0; x < WIDTH; x++) {
            mixed[h * WIDTH + i][x] += sign / Math.sqrt(WIDTH) * rows[h * WIDTH + j][x];
          }
        }
      }
    }
    return mixed;
  }

  private static double[] negative(double[] row) {
    var other = new double[row.length];
    for (int i = 0; i < row.length; i++) {
      other[i] = -row[i];
    }
    return other;
  }

  private static double[][] padded(int above, double[][] rows) {
    var all = new double[above + rows.length][WIDTH];
    System.arraycopy(rows, 0, all, above, rows.length);
    return all;
  }

  private static double[][] identityRows(int n) {
    var rows = new double[n][WIDTH];
    for (int i = 0; i < n; i++) {
      rows[i][i] = 1;
    }
    return rows;
  }

  private static float[] identity(int n) {
    return flat(identityRows(n));
  }

  private static float[] ones(int n) {
    var values = new float[n];
    Arrays.fill(values, 1);
    return values;
  }

  private static float[] flat(double[][] rows) {
    var values = new float[rows.length * WIDTH];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) rows[i / WIDTH][i % WIDTH];
    }
    return values;
  }

  /** Tokens that do not repeat in order. */
  public static int[] prompt(int length) {
    var random = new Random(31);
    return random.ints(length, 0, VOCABULARY).toArray();
  }
}
