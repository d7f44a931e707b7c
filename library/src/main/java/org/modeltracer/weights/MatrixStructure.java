package org.modeltracer.weights;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;

/**
 * How much the rows, and the columns, of a matrix differ in length, beside what chance gives.
 *
 * <p>Training makes some of a matrix's inputs and outputs larger than others. Of independent
 * entries with kurtosis κ, the lengths of rows of n entries have the coefficient of variation √((κ
 * − 1) / 4n), to first order in 1/n: their squares have mean nσ² and variance n(κ − 1)σ⁴. A matrix
 * of random numbers, or one whose entries were shuffled, has therefore ratios of about 1 both ways.
 *
 * @param tensor name of the matrix
 * @param rows coefficient of variation of the rows' lengths, as a multiple of that
 * @param columns the same of the columns
 */
public record MatrixStructure(String tensor, double rows, double columns) {
  /** Below this, both ways, nothing distinguishes a matrix from chance. */
  public static final double CHANCE = 1.25;

  private static final int LEAST_SIDE = 32;
  private static final int PIECES = 8;
  private static final int ROWS_PER_PIECE = 64;

  /** The larger of both. */
  public double strength() {
    return Math.max(rows, columns);
  }

  /** Whether nothing distinguishes the matrix from independent random entries. */
  public boolean looksRandom() {
    return strength() < CHANCE;
  }

  /**
   * Looks at every matrix of a file with at least 32 rows and columns, at 512 rows of it at most.
   *
   * @throws java.io.UncheckedIOException when the file cannot be read
   */
  public static List<MatrixStructure> of(GgufFile gguf, Dequantizer ggml) {
    var all = new ArrayList<MatrixStructure>();
    try (var file = new WeightFile(gguf, ggml)) {
      for (TensorInfo tensor : gguf.tensors()) {
        if (tensor.shape().size() > 1
            && file.readable(tensor)
            && Math.min(tensor.dimension(0), tensor.dimension(1)) >= LEAST_SIDE
            && tensor.dimension(0) < Integer.MAX_VALUE) {
          all.add(new Sums(Math.toIntExact(tensor.dimension(0))).of(tensor, file));
        }
      }
    }
    return all;
  }

  /** Sums over some rows of a matrix. */
  private static final class Sums {
    private final int width;
    private final double[] columns;
    private final float[] row;
    private final List<Double> lengths = new ArrayList<>();
    private double sum;
    private double squares;
    private double cubes;
    private double fourths;

    Sums(int width) {
      this.width = width;
      columns = new double[width];
      row = new float[width];
    }

    MatrixStructure of(TensorInfo tensor, WeightFile file) {
      long rows = WeightFile.rows(tensor);
      long pieces = Math.min(PIECES, Math.ceilDiv(rows, ROWS_PER_PIECE));
      for (long piece = 0; piece < pieces; piece++) {
        long from = piece * rows / pieces;
        long next = (piece + 1) * rows / pieces;
        file.read(tensor, from, Math.min(from + ROWS_PER_PIECE, next), this::add);
      }
      double n = (double) lengths.size() * width;
      double mean = sum / n;
      double variance = squares / n - mean * mean;
      double fourth =
          fourths / n
              - 4 * mean * cubes / n
              + 6 * mean * mean * squares / n
              - 3 * mean * mean * mean * mean;
      double kurtosis = fourth / (variance * variance);
      double[] rowLengths = lengths.stream().mapToDouble(Objects::requireNonNull).toArray();
      double[] columnLengths = Arrays.stream(columns).map(Math::sqrt).toArray();
      return new MatrixStructure(
          tensor.name(),
          variation(rowLengths) / chance(kurtosis, width),
          variation(columnLengths) / chance(kurtosis, rowLengths.length));
    }

    private void add(MemorySegment values, long count) {
      for (long r = 0; r < count; r++) {
        MemorySegment.copy(values, ValueLayout.JAVA_FLOAT, 4 * r * width, row, 0, width);
        double length = 0;
        for (int i = 0; i < width; i++) {
          double x = row[i];
          double square = x * x;
          sum += x;
          length += square;
          cubes += square * x;
          fourths += square * square;
          columns[i] += square;
        }
        squares += length;
        lengths.add(Math.sqrt(length));
      }
    }

    private static double chance(double kurtosis, int entries) {
      return Math.sqrt((kurtosis - 1) / (4.0 * entries));
    }

    private static double variation(double[] lengths) {
      double mean = Arrays.stream(lengths).average().orElse(Double.NaN);
      double square = Arrays.stream(lengths).map(x -> (x - mean) * (x - mean)).average().orElse(0);
      return Math.sqrt(square) / mean;
    }
  }
}
