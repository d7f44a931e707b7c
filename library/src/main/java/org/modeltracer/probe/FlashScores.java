package org.modeltracer.probe;

import java.util.Arrays;
import org.modeltracer.cache.RowKeys;
import org.modeltracer.kernels.Kernels;

/** Rows of some heads of a fused attention: query times keys for several rows at once. */
final class FlashScores {
  /** Rows of a product that keep its registers busy. */
  private static final int TILE = 4;

  private final FlashRows node;
  private float[] few = {};
  private Scores[] byKeyHead = {};
  private int from;
  private int to;
  private int room;

  /** Products of the query heads at hand that share a head of keys. */
  private static final class Scores {
    private float[] products = {};
    private int firstHead;
    private int heads;
    private int block;
    private int firstQuery;
    private int stream;
    private int cells;
  }

  FlashScores(FlashRows node) {
    this.node = node;
  }

  /** Begins with the heads {@code from} to before {@code to} of the node that was just opened. */
  void open(int from, int to) {
    this.from = from;
    this.to = to;
    int panel = Kernels.chosen().panel();
    room = (node.keyCount() / panel + 1) * panel;
    if (byKeyHead.length < node.keyHeads()) {
      int known = byKeyHead.length;
      byKeyHead = Arrays.copyOf(byKeyHead, node.keyHeads());
      for (int h = known; h < byKeyHead.length; h++) {
        byKeyHead[h] = new Scores();
      }
    }
    int most = 0;
    for (int h = 0; h < node.keyHeads(); h++) {
      most = Math.max(most, prepare(byKeyHead[h], h));
    }
    if (few.length < most * node.width()) {
      few = new float[most * node.width()];
    }
  }

  private int prepare(Scores scores, int keyHead) {
    int group = node.group();
    scores.firstHead = Math.max(from, keyHead * group);
    scores.heads = Math.max(0, Math.min(to, (keyHead + 1) * group) - scores.firstHead);
    // Heads that share keys are rows of one product; queries beside each other fill up its tiles.
    scores.block = TILE / greatestCommonDivisor(scores.heads, TILE);
    scores.stream = -1;
    int rows = scores.heads * scores.block;
    if (scores.products.length < rows * room) {
      scores.products = new float[rows * room];
    }
    return rows;
  }

  private static int greatestCommonDivisor(int a, int b) {
    return b == 0 ? a : greatestCommonDivisor(b, a % b);
  }

  /**
   * Computes the row of one query.
   *
   * @param target receives the weights of the keys in sight, in their order
   */
  void row(int head, int query, int stream, QueryView view, float[] target) {
    RowKeys visible = view.keys();
    int keyHead = head / node.group();
    Scores scores = byKeyHead[keyHead];
    int row = at(scores, keyHead, head, query, stream, visible.last());
    int n = visible.size();
    if (visible.adjacent()) {
      System.arraycopy(scores.products, row + visible.cell(0), target, 0, n);
    } else {
      for (int i = 0; i < n; i++) {
        target[i] = scores.products[row + visible.cell(i)];
      }
    }
    node.weights(head, view, target);
  }

  /** Where the products of a query begin in those of its head's keys; computes them if need be. */
  private int at(Scores scores, int keyHead, int head, int q, int stream, int lastCell) {
    int first = q / scores.block * scores.block;
    int heads = scores.heads;
    if (scores.stream != stream || scores.firstQuery != first || scores.cells <= lastCell) {
      int queries = Math.min(scores.block, node.queryCount() - first);
      int width = node.width();
      for (int i = 0; i < queries; i++) {
        for (int h = 0; h < heads; h++) {
          node.query(scores.firstHead + h, first + i, stream, few, (i * heads + h) * width);
        }
      }
      // Under a causal mask the block's last query sees a cell more than its first for each
      // between.
      int cells = Math.min(node.keyCount(), lastCell + queries);
      node.products(few, queries * heads, keyHead, stream, cells, scores.products, room);
      scores.stream = stream;
      scores.firstQuery = first;
      scores.cells = cells;
    }
    return ((q - first) * heads + head - scores.firstHead) * room;
  }
}
