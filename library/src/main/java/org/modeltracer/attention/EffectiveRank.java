package org.modeltracer.attention;

import org.ejml.data.FMatrixRMaj;
import org.ejml.dense.row.factory.DecompositionFactory_FDRM;

/** Effective numbers: exponentials of entropies of normalized spectra. */
final class EffectiveRank {
  /** Largest order whose spectrum is computed; the cost grows with its cube. */
  static final int LARGEST = 512;

  private EffectiveRank() {}

  /** exp H(σ / Σσ) of a matrix's singular values, in [1, order]. Roy and Vetterli 2007. */
  static double ofMatrix(FMatrixRMaj matrix) {
    var svd = DecompositionFactory_FDRM.svd(matrix.numRows, matrix.numCols, false, false, true);
    if (!svd.decompose(matrix.copy())) {
      return Double.NaN;
    }
    float[] values = svd.getSingularValues();
    return effective(values, svd.numberOfSingularValues());
  }

  /**
   * exp H of the eigenvalues of a similarity matrix over its order, in [1 / n, 1]: how many of n
   * items are really different. Vendi score, Friedman and Dieng 2023.
   */
  static double diversity(FMatrixRMaj similarity) {
    int n = similarity.numRows;
    var eigen = DecompositionFactory_FDRM.eig(n, false, true);
    if (!eigen.decompose(similarity.copy())) {
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
