package org.modeltracer.diagnose;

import java.util.List;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.Tensor;
import org.modeltracer.model.RunningStats;

/**
 * The rows that a {@code SET_ROWS} wrote; the rest of its output is what was there before.
 *
 * @param ids row numbers, as many a batch as the source has rows
 * @param perBatch row numbers per batch
 * @param batches batches of row numbers; outputs with more share them
 */
record WrittenRows(long[] ids, int perBatch, int batches) {

  /** Adds the values written, in the order of the source. */
  void addTo(RunningStats stats, Tensor t, TensorData data) {
    for (int b = 0; b < t.ne(2); b++) {
      for (int i = 0; i < perBatch; i++) {
        long offset = id(b, i) * t.nb(1) + b * t.nb(2);
        stats.add(data.part(t, offset, t.ne(0)), 0, t.ne(0));
      }
    }
  }

  private long id(int batch, int i) {
    return ids[batch % batches * perBatch + i];
  }

  /** Where a value lies in the output, given its number in the order of the source. */
  List<Long> index(Tensor t, long element) {
    long row = element / t.ne(0);
    int batch = (int) (row / perBatch);
    return List.of(element % t.ne(0), id(batch, (int) (row % perBatch)), (long) batch, 0L);
  }
}
