package org.modeltracer.attention.report;

import java.util.Arrays;
import org.modeltracer.attention.LayerMeans;

/**
 * Most flow that can go from a target position above the last layer down to a source below the
 * first, an edge having the capacity Â_l[i, j] in layer l. Exact, but for rounding.
 *
 * <p>Abnar and Zuidema 2020, section 3.2. Under a causal mask only positions between source and
 * target can carry flow. Computed by Dinic's algorithm on rows of capacities: the graph has an edge
 * for each layer, query and key, too many to be objects.
 *
 * @param value flow from target to source, at most 1
 * @param cutByDepth capacity of the minimum cut in each layer with attention
 * @param limit smaller of what can leave the target and what can enter the source
 */
record MaxFlow(double value, double[] cutByDepth, double limit) {
  /** The flow between two of the first {@code positions} positions. */
  static MaxFlow between(LayerMeans means, int positions, int target, int source) {
    var network = new Network(means, positions, target, source);
    double value = network.fill();
    return new MaxFlow(
        value, network.cutByDepth(), Math.min(network.leaving(), network.entering()));
  }

  /**
   * Nodes are positions between layers, {@code level * width + position}, level 0 below the first
   * layer; from level d + 1 to d an edge goes from each query to each key in its sight.
   */
  private static final class Network {
    /** Less than this is rounding. */
    private static final double NOTHING = 1e-12;

    private final int depth;
    private final int width;
    private final int top;
    private final int bottom;

    /** Whether no key lies after its query. */
    private final boolean causal;

    /** What an edge can still take, {@code [layer][query][key]}, keys up to the last in sight. */
    private final double[][][] free;

    /** What it carries. */
    private final double[][][] carried;

    private final int[] distance;
    private final int[] queue;
    private final int[] next;
    private final int[] path;

    Network(LayerMeans means, int positions, int target, int source) {
      depth = means.depth();
      causal = !means.looksAhead();
      int from = causal ? source : 0;
      width = causal ? target - source + 1 : positions;
      top = depth * width + target - from;
      bottom = source - from;
      free = new double[depth][width][];
      carried = new double[depth][width][];
      for (int d = 0; d < depth; d++) {
        for (int i = 0; i < width; i++) {
          double[] row = means.mixed(d, from + i);
          free[d][i] = Arrays.copyOfRange(row, from, Math.min(row.length, from + width));
          carried[d][i] = new double[free[d][i].length];
        }
      }
      int nodes = (depth + 1) * width;
      distance = new int[nodes];
      queue = new int[nodes];
      next = new int[nodes];
      path = new int[nodes + 1];
    }

    double leaving() {
      int target = top % width;
      double sum = 0;
      for (int j = 0; j < free[depth - 1][target].length; j++) {
        sum += capacity(depth - 1, target, j);
      }
      return sum;
    }

    double entering() {
      double sum = 0;
      for (int i = 0; i < width; i++) {
        sum += capacity(0, i, bottom);
      }
      return sum;
    }

    private double capacity(int d, int query, int key) {
      return key < free[d][query].length ? free[d][query][key] + carried[d][query][key] : 0;
    }

    double fill() {
      double flow = 0;
      while (reach()) {
        Arrays.fill(next, 0);
        for (double more = augment(); more > 0; more = augment()) {
          flow += more;
        }
      }
      return flow;
    }

    /**
     * Distances from the target along edges that can take more, until the source is met; whether it
     * is.
     */
    private boolean reach() {
      Arrays.fill(distance, -1);
      distance[top] = 0;
      queue[0] = top;
      int tail = 1;
      for (int head = 0; head < tail && distance[bottom] < 0; head++) {
        int node = queue[head];
        for (int e = 0; e < edges(node); e++) {
          int other = other(node, e);
          if (distance[other] < 0 && room(node, e) > NOTHING) {
            distance[other] = distance[node] + 1;
            queue[tail++] = other;
          }
        }
      }
      return distance[bottom] >= 0;
    }

    /** Edges of a node: those down to keys, then those up to queries, undone. */
    private int edges(int node) {
      return down(node) + (node / width < depth ? width - firstQuery(node) : 0);
    }

    private int down(int node) {
      return node < width ? 0 : free[node / width - 1][node % width].length;
    }

    /** The first query that may see a node's position. */
    private int firstQuery(int node) {
      return causal ? node % width : 0;
    }

    private int other(int node, int e) {
      int level = node / width;
      int down = down(node);
      return e < down ? (level - 1) * width + e : (level + 1) * width + firstQuery(node) + e - down;
    }

    private double room(int node, int e) {
      int level = node / width;
      int position = node % width;
      int down = down(node);
      if (e < down) {
        return free[level - 1][position][e];
      }
      double[] flow = carried[level][firstQuery(node) + e - down];
      return position < flow.length ? flow[position] : 0;
    }

    private void push(int node, int e, double flow) {
      int level = node / width;
      int position = node % width;
      int down = down(node);
      if (e < down) {
        carry(level - 1, position, e, flow);
      } else {
        carry(level, firstQuery(node) + e - down, position, -flow);
      }
    }

    private void carry(int d, int query, int key, double flow) {
      free[d][query][key] -= flow;
      carried[d][query][key] += flow;
    }

    /** Flow along one more shortest path, 0 when there is none. */
    private double augment() {
      int length = 0;
      path[0] = top;
      while (true) {
        int node = path[length];
        if (node == bottom) {
          return pushAlong(length);
        }
        int edges = edges(node);
        boolean on = false;
        for (; next[node] < edges; next[node]++) {
          int other = other(node, next[node]);
          if (distance[other] == distance[node] + 1 && room(node, next[node]) > NOTHING) {
            path[++length] = other;
            on = true;
            break;
          }
        }
        if (!on) {
          if (length == 0) {
            return 0;
          }
          length--;
          next[path[length]]++;
        }
      }
    }

    private double pushAlong(int length) {
      double flow = Double.POSITIVE_INFINITY;
      for (int s = 0; s < length; s++) {
        flow = Math.min(flow, room(path[s], next[path[s]]));
      }
      for (int s = 0; s < length; s++) {
        push(path[s], next[path[s]], flow);
      }
      return flow;
    }

    /** The cut between what the last search reached and what it did not, which is a minimum one. */
    double[] cutByDepth() {
      double[] cut = new double[depth];
      for (int d = 0; d < depth; d++) {
        for (int i = 0; i < width; i++) {
          for (int j = 0; j < free[d][i].length; j++) {
            if (distance[(d + 1) * width + i] >= 0 && distance[d * width + j] < 0) {
              cut[d] += capacity(d, i, j);
            }
          }
        }
      }
      return cut;
    }
  }
}
