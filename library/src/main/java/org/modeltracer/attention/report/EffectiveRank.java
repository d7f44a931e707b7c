package org.modeltracer.attention.report;

import java.util.List;
import org.ejml.data.FMatrixRMaj;
import org.ejml.dense.row.factory.DecompositionFactory_FDRM;

/** Effective numbers: exponentials of entropies of normalized spectra. */
final class EffectiveRank {
  /** Largest order whose spectrum is computed; the cost grows with its cube. */
  static final int LARGEST = 512;

  /** How alike two items are, 1 for an item and itself. */
  interface Similarity {
    double of(int a, int b);
  }

  private EffectiveRank() {}

  /**
   * exp H(σ / Σσ) of the singular values of a square matrix over its order, in [1 / n, 1]. Roy and
   * Vetterli 2007.
   *
   * @param rows each up to its last column that is not 0
   */
  static double share(List<float[]> rows) {
    int n = rows.size();
    var matrix = new FMatrixRMaj(n, n);
    for (int i = 0; i < n; i++) {
      float[] row = rows.get(i);
      System.arraycopy(row, 0, matrix.data, i * n, Math.min(n, row.length));
    }
    var svd = DecompositionFactory_FDRM.svd(n, n, false, false, true);
    if (!svd.decompose(matrix)) {
      return Double.NaN;
    }
    return effective(svd.getSingularValues(), svd.numberOfSingularValues()) / n;
  }

  /**
   * exp H of the eigenvalues of a similarity matrix over its order, in [1 / n, 1]: how many of n
   * items are really different. Vendi score, Friedman and Dieng 2023.
   *
   * @param n the matrix's order, at most {@link #LARGEST}
   */
  static double diversity(int n, Similarity similarity) {
    var matrix = new FMatrixRMaj(n, n);
    for (int a = 0; a < n; a++) {
      for (int b = 0; b < n; b++) {
        matrix.set(a, b, (float) similarity.of(a, b));
      }
    }
    var eigen = DecompositionFactory_FDRM.eig(n, false, true);
    if (!eigen.decompose(matrix)) {
      return Double.NaN;
    }
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = Math.max(0, eigen.getEigenvalue(i).getReal());
    }
    return effective(values, n) / n;
  }

  private static double effective(float[] values, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += values[i];
    }
    double h = 0;
    for (int i = 0; i < n; i++) {
      double p = values[i] / sum;
      if (p > 0) h -= p * Math.log(p);
    }
    return Math.exp(h);
  }
}
