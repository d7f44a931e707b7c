package org.modeltracer.session;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;

/** The first attention of a T5 encoder, in double precision from the file's own F32 weights. */
final class TinyEncoder {
  private static final String BLOCK = "enc.blk.0.";
  private static final double EPSILON = 1e-5;

  /** Distances up to 7 have a bucket each, those up to 128 share 8 more; one set a direction. */
  private static final int EXACT = 8;

  private static final int BUCKETS = 16;
  private static final double LONGEST = 128;

  private final Path file;
  private final GgufFile gguf;
  private final int heads;

  TinyEncoder(Path file, int heads) {
    this.file = file;
    this.heads = heads;
    gguf = GgufFile.read(file);
  }

  /** Weights of attention: {@code [head, query, key]}. */
  double[][][] attention(int[] ids) throws IOException {
    double[][] normed = normed(ids);
    double[][] q = product(BLOCK + "attn_q.weight", normed);
    double[][] k = product(BLOCK + "attn_k.weight", normed);
    float[] bias = values(BLOCK + "attn_rel_b.weight");
    int width = q[0].length / heads;
    var attention = new double[heads][ids.length][ids.length];
    for (int h = 0; h < heads; h++) {
      for (int i = 0; i < ids.length; i++) {
        double sum = 0;
        for (int j = 0; j < ids.length; j++) {
          double score = bias[bucket(j - i) * heads + h];
          for (int d = h * width; d < (h + 1) * width; d++) {
            score += q[i][d] * k[j][d];
          }
          attention[h][i][j] = Math.exp(score);
          sum += attention[h][i][j];
        }
        for (int j = 0; j < ids.length; j++) {
          attention[h][i][j] /= sum;
        }
      }
    }
    return attention;
  }

  /** Bucket of a key that far after its query (Raffel et al. 2020). */
  private static int bucket(int distance) {
    int side = distance > 0 ? BUCKETS : 0;
    int far = Math.abs(distance);
    if (far < EXACT) {
      return side + far;
    }
    double share = Math.log((double) far / EXACT) / Math.log(LONGEST / EXACT);
    return side + Math.min(BUCKETS - 1, (int) (EXACT + share * (BUCKETS - EXACT)));
  }

  private double[][] normed(int[] ids) throws IOException {
    float[] table = values("token_embd.weight");
    float[] scale = values(BLOCK + "attn_norm.weight");
    var normed = new double[ids.length][scale.length];
    for (int i = 0; i < ids.length; i++) {
      double squares = 0;
      for (int d = 0; d < scale.length; d++) {
        double x = table[ids[i] * scale.length + d];
        normed[i][d] = x * scale[d];
        squares += x * x;
      }
      double size = Math.sqrt(squares / scale.length + EPSILON);
      for (int d = 0; d < scale.length; d++) {
        normed[i][d] /= size;
      }
    }
    return normed;
  }

  private double[][] product(String matrix, double[][] inputs) throws IOException {
    float[] weights = values(matrix);
    int in = inputs[0].length;
    int out = weights.length / in;
    var products = new double[inputs.length][out];
    for (int i = 0; i < inputs.length; i++) {
      for (int o = 0; o < out; o++) {
        for (int d = 0; d < in; d++) {
          products[i][o] += weights[o * in + d] * inputs[i][d];
        }
      }
    }
    return products;
  }

  private float[] values(String tensor) throws IOException {
    TensorInfo info = gguf.tensor(tensor).orElseThrow();
    ByteBuffer bytes = ByteBuffer.allocate((int) info.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    try (FileChannel channel = FileChannel.open(file)) {
      channel.read(bytes, info.offset());
    }
    FloatBuffer floats = bytes.flip().asFloatBuffer();
    float[] values = new float[floats.remaining()];
    floats.get(values);
    return values;
  }
}
