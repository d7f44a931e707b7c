package org.modeltracer.weights;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.GgufKind;
import org.modeltracer.gguf.TensorInfo;

/**
 * Looks for faults in the weights of a file without running the model.
 *
 * <p>The file is mapped and streamed through ggml's own conversion to float32, several tensors at a
 * time; memory stays at a few hundred kilobytes a thread.
 */
public final class WeightScan {
  private static final int SHAPE_OF_EXPERTS = 3;
  private static final Pattern ROTARY_FACTORS =
      Pattern.compile("(^|\\.)rope_(freqs|factors_\\w+)\\.weight$");

  /** Listens for how far a scan is; called by several threads, one at a time. */
  public interface Progress {
    /** {@code done} of {@code all} bytes have been looked at. */
    void onProgress(long done, long all);
  }

  /**
   * What a scan found.
   *
   * @param tensors number of tensors looked at
   * @param values number of values looked at
   * @param integers tensors of whole numbers, in which nothing can be NaN or infinite
   * @param unread tensors that ggml cannot convert to float32, of which nobody knows
   * @param findings what is wrong, in file order
   */
  public record Result(
      int tensors,
      long values,
      List<String> integers,
      List<String> unread,
      List<WeightFinding> findings) {
    /** Copies the lists. */
    public Result {
      integers = List.copyOf(integers);
      unread = List.copyOf(unread);
      findings = List.copyOf(findings);
    }
  }

  private WeightScan() {}

  /**
   * Scans all tensors of a file.
   *
   * @param threads tensors looked at at a time, at least 1
   * @throws java.io.UncheckedIOException when the file cannot be read
   */
  public static Result scan(
      GgufFile gguf, Dequantizer ggml, Thresholds limits, int threads, Progress progress) {
    try (var file = new Weights(gguf, ggml)) {
      List<TensorInfo> tensors = gguf.tensors().stream().filter(file::readable).toList();
      read(file, tensors, threads, progress);
      var peers = new WeightPeers(file, limits);
      List<WeightFinding> findings = new ArrayList<>();
      // Sums of squared activations differ from layer to layer as much as they like.
      boolean ofWeights = gguf.kind() != GgufKind.IMPORTANCE_MATRIX;
      for (TensorInfo tensor : tensors) {
        judge(file, tensor, peers, ofWeights, findings);
      }
      return new Result(
          tensors.size(),
          tensors.stream().mapToLong(TensorInfo::elements).sum(),
          names(gguf, t -> t.type().integer()),
          names(gguf, t -> !t.type().integer() && !file.readable(t)),
          findings);
    }
  }

  private static List<String> names(GgufFile gguf, Predicate<TensorInfo> which) {
    return gguf.tensors().stream().filter(which).map(TensorInfo::name).toList();
  }

  private static void read(Weights file, List<TensorInfo> tensors, int threads, Progress progress) {
    long all = tensors.stream().mapToLong(TensorInfo::bytes).sum();
    var done = new AtomicLong();
    var lock = new Object();
    try (var pool = Executors.newFixedThreadPool(Math.max(1, threads))) {
      List<Future<?>> reading = new ArrayList<>();
      for (TensorInfo tensor : tensors) {
        reading.add(
            pool.submit(
                () ->
                    file.stats(
                        tensor,
                        bytes -> {
                          synchronized (lock) {
                            progress.onProgress(done.addAndGet(bytes), all);
                          }
                        })));
      }
      for (Future<?> one : reading) {
        finish(one);
      }
    }
  }

  private static void finish(Future<?> reading) {
    try {
      reading.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("the weight scan was interrupted", e);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e);
    }
  }

  private static void judge(
      Weights file,
      TensorInfo tensor,
      WeightPeers peers,
      boolean ofWeights,
      List<WeightFinding> findings) {
    WeightStats stats = file.stats(tensor);
    if (stats.bad() > 0) {
      BadWeight bad = BadWeight.of(file, tensor, stats);
      findings.add(
          new WeightFinding(
              tensor.name(),
              stats.nan() > 0 ? WeightFault.NAN : WeightFault.INF,
              stats.bad(),
              bad.index(),
              bad.block(),
              bad.part(),
              bad.message()));
    }
    String absurd = ofWeights ? peers.absurd(tensor, Integer.MAX_VALUE) : null;
    if (absurd != null) {
      findings.add(finding(tensor, WeightFault.ABSURD_SCALE, stats.elements(), null, absurd));
    }
    if (file.lacksScale(tensor)) {
      String scale = tensor.name().replaceFirst("weight$", "scale");
      String message =
          "the file has no %s, other weights of type %s have theirs: llama.cpp multiplies by 1"
              .formatted(scale, tensor.type());
      findings.add(finding(tensor, WeightFault.MISSING_SCALE, stats.elements(), null, message));
    }
    if (ROTARY_FACTORS.matcher(tensor.name()).find() && stats.zero() > 0) {
      String message =
          "%d of %d values are 0, by which llama.cpp divides angles"
              .formatted(stats.zero(), stats.elements());
      findings.add(finding(tensor, WeightFault.ZERO_FACTOR, stats.zero(), null, message));
      return;
    }
    // One row alone, such as a bias or a norm, is a tensor; biases may well be zero.
    if (stats.allZero()) {
      if (!tensor.name().endsWith(".bias")) {
        findings.add(
            finding(
                tensor,
                WeightFault.ZERO_TENSOR,
                stats.elements(),
                null,
                "all " + stats.elements() + " values are 0"));
      }
    } else if (tensor.shape().size() == SHAPE_OF_EXPERTS && !stats.zeroSlices().isEmpty()) {
      findings.add(
          finding(
              tensor,
              WeightFault.DEAD_EXPERT,
              stats.zeroSlices().size(),
              List.of((long) stats.zeroSlices().getFirst()),
              "all values of expert%s %s are 0"
                  .formatted(stats.zeroSlices().size() > 1 ? "s" : "", stats.zeroSlices())));
    } else if (stats.zeroRows() > 0 && tensor.shape().size() > 1) {
      findings.add(
          finding(
              tensor,
              WeightFault.ZERO_ROWS,
              stats.zeroRows(),
              List.of(stats.firstZeroRow()),
              "%d of %d rows are 0, the first is row %d"
                  .formatted(stats.zeroRows(), WeightFile.rows(tensor), stats.firstZeroRow())));
    }
  }

  private static WeightFinding finding(
      TensorInfo tensor, WeightFault kind, long count, @Nullable List<Long> index, String message) {
    return new WeightFinding(
        tensor.name(), kind, count, index, null, null, tensor.place() + ": " + message);
  }
}
