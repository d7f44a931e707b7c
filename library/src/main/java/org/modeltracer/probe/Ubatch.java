package org.modeltracer.probe;

import java.util.Arrays;
import org.modeltracer.llama.Batch;

/**
 * The tokens of the graph now running: which row is which token of the batch.
 *
 * <p>llama.cpp splits a batch into micro-batches, and regroups it when sequences have streams of
 * their own. Rows are matched to the batch by what the graph shows of them: token, position where
 * the graph has them, stream.
 */
public final class Ubatch {
  private static final int UNKNOWN = -1;

  private int size;
  private int outputs;
  private int[] tokens = {};
  private int[] positions = {};
  private int[] sequences = {};
  private int[] outputRows = {};
  private int[] batchIndex = {};
  private boolean[] consumed = {};
  private int next;
  private boolean mapped;

  /** A new batch begins; none of it has been computed. */
  void beginBatch(Batch batch) {
    if (consumed.length < batch.size()) {
      consumed = new boolean[Math.max(batch.size(), 2 * consumed.length)];
    }
    Arrays.fill(consumed, 0, batch.size(), false);
    next = 0;
    size = 0;
    outputs = 0;
    mapped = false;
  }

  /** A new graph begins with that many rows. */
  void begin(int rows) {
    if (tokens.length < rows) {
      int room = Math.max(rows, 2 * tokens.length);
      tokens = new int[room];
      positions = new int[room];
      sequences = new int[room];
      outputRows = new int[room];
      batchIndex = new int[room];
    }
    size = rows;
    outputs = 0;
    mapped = false;
    Arrays.fill(tokens, 0, rows, UNKNOWN);
    Arrays.fill(positions, 0, rows, UNKNOWN);
    Arrays.fill(sequences, 0, rows, UNKNOWN);
  }

  void token(int row, int token) {
    tokens[row] = token;
  }

  public void position(int row, int position) {
    positions[row] = position;
  }

  void stream(int row, int sequence) {
    sequences[row] = sequence;
  }

  /** Matches the rows to the batch; call when what the graph shows has been entered. */
  void map(Batch batch) {
    if (mapped) {
      return;
    }
    if (!inOrder(batch) && !inAnyOrder(batch)) {
      // What was taken for positions were none: an architecture with several kinds of them.
      Arrays.fill(positions, 0, size, UNKNOWN);
      if (!inOrder(batch)) {
        Arrays.fill(batchIndex, 0, size, UNKNOWN);
      }
    }
    for (int row = 0; row < size; row++) {
      enter(batch, row, batchIndex[row]);
    }
    while (next < batch.size() && consumed[next]) {
      next++;
    }
    mapped = true;
  }

  private boolean inOrder(Batch batch) {
    if (next + size > batch.size()) {
      return false;
    }
    for (int row = 0; row < size; row++) {
      if (consumed[next + row] || !fits(batch, next + row, row)) {
        return false;
      }
      batchIndex[row] = next + row;
    }
    return true;
  }

  private boolean inAnyOrder(Batch batch) {
    int found = 0;
    while (found < size) {
      int index = search(batch, found);
      if (index < 0) {
        break;
      }
      batchIndex[found++] = index;
      consumed[index] = true;
    }
    for (int row = 0; found < size && row < found; row++) {
      consumed[batchIndex[row]] = false;
    }
    return found == size;
  }

  private int search(Batch batch, int row) {
    for (int i = next; i < batch.size(); i++) {
      if (!consumed[i] && fits(batch, i, row)) {
        return i;
      }
    }
    return UNKNOWN;
  }

  private boolean fits(Batch batch, int index, int row) {
    return (tokens[row] == UNKNOWN || tokens[row] == batch.token(index))
        && (positions[row] == UNKNOWN || positions[row] == batch.position(index))
        && (sequences[row] == UNKNOWN || sequences[row] == batch.sequence(index));
  }

  private void enter(Batch batch, int row, int index) {
    if (index < 0) {
      tokens[row] = positions[row] = sequences[row] = UNKNOWN;
      return;
    }
    consumed[index] = true;
    tokens[row] = batch.token(index);
    positions[row] = batch.position(index);
    sequences[row] = batch.sequence(index);
    if (batch.output(index)) {
      outputRows[outputs++] = row;
    }
  }

  /** Whether the rows have been matched. */
  boolean mapped() {
    return mapped;
  }

  /** Number of rows. */
  public int size() {
    return size;
  }

  /** Number of rows whose logits are wanted. */
  public int outputs() {
    return outputs;
  }

  /** Token position of a row, -1 when the row could not be matched. */
  public int position(int row) {
    return positions[row];
  }

  /** Sequence of a row, -1 when the row could not be matched. */
  public int sequence(int row) {
    return sequences[row];
  }

  /**
   * Row of the graph behind a row of a tensor, -1 where there is none.
   *
   * @param ofOutputs whether the tensor has rows only for tokens whose logits are wanted
   */
  public int rowOf(long row, boolean ofOutputs) {
    if (row < 0 || row >= (ofOutputs ? outputs : size)) {
      return UNKNOWN;
    }
    return ofOutputs ? outputRows[(int) row] : (int) row;
  }
}
