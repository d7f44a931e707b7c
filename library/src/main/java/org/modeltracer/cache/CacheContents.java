package org.modeltracer.cache;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import org.modeltracer.cache.CacheStatistics.Part;
import org.modeltracer.cache.CacheStatistics.PoisonedCell;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorType;
import org.modeltracer.model.RunningStats;
import org.modeltracer.model.TensorStats;

/**
 * Reads cached keys and values, on the native thread and between passes.
 *
 * <p>The tensors live as long as their context, wherever its backend keeps them; what is read of
 * them is copied at once.
 */
public final class CacheContents {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** Numbers that are read at once. */
  private static final long CHUNK = 1 << 20;

  private final LlamaRuntime runtime;
  private final CacheLayout layout;
  private final int sequences;

  /** Where each stream's data lies until the copies that llama.cpp puts off have been made. */
  private final int[] dataStream;

  private boolean putOff;

  public CacheContents(LlamaRuntime runtime, CacheLayout layout, int sequences) {
    this.runtime = runtime;
    this.layout = layout;
    this.sequences = sequences;
    dataStream = new int[sequences];
    Arrays.setAll(dataStream, s -> s);
  }

  /** One stream is to be copied over another, which llama.cpp does when the next pass begins. */
  public void copied(int source, int target) {
    dataStream[target] = dataStream[source];
    putOff = true;
  }

  /** A pass has run: what was put off is done. */
  public void settled() {
    if (putOff) {
      Arrays.setAll(dataStream, s -> s);
      putOff = false;
    }
  }

  public CacheStatistics read() {
    var parts = new ArrayList<Part>();
    var poisoned = new Poisoned();
    try (var data = new TensorData(runtime, false)) {
      for (CacheGroup group : layout.all()) {
        for (CacheTensor tensor : group.tensors()) {
          parts.add(new Reader(group, tensor, data, poisoned).read());
        }
      }
    }
    parts.sort(
        Comparator.comparingInt(Part::layer).thenComparing(Part::part).thenComparing(Part::tensor));
    return new CacheStatistics(parts, poisoned.count, poisoned.listed);
  }

  private static final class Poisoned {
    final List<PoisonedCell> listed = new ArrayList<>();
    long count;
  }

  /** One tensor at work. */
  private final class Reader {
    private final CacheGroup group;
    private final CellMap cells;
    private final CacheTensor tensor;
    private final TensorData data;
    private final Poisoned poisoned;
    private final Tensor window;
    private final TensorType type;
    private final long row;
    private final RunningStats all = new RunningStats();

    Reader(CacheGroup group, CacheTensor tensor, TensorData data, Poisoned poisoned) {
      this.group = group;
      this.tensor = tensor;
      this.data = data;
      this.poisoned = poisoned;
      cells = group.cells();
      window = new Tensor(runtime).at(tensor.address());
      type = runtime.type(window.type());
      row = window.elements() / cells.cells();
    }

    Part read() {
      for (int stream = 0; stream < group.streams(); stream++) {
        if (tensor.transposed()) {
          readTransposed(stream);
        } else {
          readRows(stream);
        }
      }
      return new Part(
          tensor.layer(),
          tensor.kind(),
          tensor.name(),
          type.name().toLowerCase(Locale.ROOT),
          cells.used(),
          all.snapshot());
    }

    /** Elements before a stream's first cell. */
    private long start(int stream) {
      int from = group.streams() > 1 ? dataStream[stream] : 0;
      return (long) from * group.streamCells() * row;
    }

    /** Cells in use that lie side by side are read at once. */
    private void readRows(int stream) {
      var one = new RunningStats();
      int first = stream * group.streamCells();
      int most = (int) Math.max(1, CHUNK / row);
      int i = 0;
      while (i < group.streamCells()) {
        int begin = i;
        while (i < group.streamCells() && i < begin + most && cells.position(first + i) >= 0) {
          i++;
        }
        if (i == begin) {
          i++;
          continue;
        }
        MemorySegment values =
            data.part(window, type.rowBytes(start(stream) + begin * row), (i - begin) * row);
        for (int cell = begin; cell < i; cell++) {
          one.reset();
          one.add(values, 4 * row * (cell - begin), row);
          take(first + cell, one);
        }
      }
    }

    private void take(int cell, RunningStats one) {
      all.merge(one);
      if (one.bad()) {
        found(cell, one.snapshot());
      }
    }

    /** Cells lie side by side: one row of them for each value. */
    private void readTransposed(int stream) {
      int first = stream * group.streamCells();
      int used = group.streamCells();
      while (used > 0 && cells.position(first + used - 1) < 0) {
        used--;
      }
      boolean[] bad = new boolean[used];
      // Whole rows where most of each is in use, so that several can be read at once.
      boolean whole = 2L * used >= group.streamCells();
      long stride = group.streamCells();
      long most = whole ? Math.max(1, CHUNK / stride) : 1;
      for (long value = 0; value < row && used > 0; value += most) {
        long rows = Math.min(most, row - value);
        MemorySegment values =
            data.part(
                window, type.rowBytes(start(stream) + value * stride), (rows - 1) * stride + used);
        for (long r = 0; r < rows; r++) {
          int i = 0;
          while (i < used) {
            int begin = i;
            while (i < used && cells.position(first + i) >= 0) {
              float x = values.get(FLOAT, 4 * (r * stride + i));
              bad[i] |= x - x != 0;
              i++;
            }
            all.add(values, 4 * (r * stride + begin), i - begin);
            i++;
          }
        }
      }
      for (int i = 0; i < used; i++) {
        if (bad[i]) {
          found(first + i, columnStats(stream, i));
        }
      }
    }

    private TensorStats columnStats(int stream, int cell) {
      var one = new RunningStats();
      for (long value = 0; value < row; value++) {
        long element = start(stream) + value * group.streamCells() + cell;
        one.add(data.part(window, type.rowBytes(element), 1), 0, 1);
      }
      return one.snapshot();
    }

    private void found(int cell, TensorStats stats) {
      poisoned.count++;
      if (poisoned.listed.size() < CacheStatistics.LISTED) {
        var owners = new ArrayList<Integer>();
        for (int s = 0; s < sequences; s++) {
          if (cells.holds(cell, s)) {
            owners.add(s);
          }
        }
        poisoned.listed.add(
            new PoisonedCell(
                tensor.layer(),
                tensor.kind(),
                tensor.name(),
                cell,
                cells.position(cell),
                owners,
                cells.pass(cell),
                stats));
      }
    }
  }
}
