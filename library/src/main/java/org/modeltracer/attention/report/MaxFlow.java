package org.modeltracer.attention.report;

import java.util.Arrays;
import org.modeltracer.attention.LayerMeans;

/**
 * Most flow that can go from a target position above the last layer down to a source below the
 * first, an edge having the capacity Â_l[i, j] in layer l. Exact, but for rounding.
 *
 * <p>Abnar and Zuidema 2020, section 3.2. Only positions between source and target can carry flow.
 * Computed by Dinic's algorithm on triangles of capacities: the graph has L·n²/2 edges, too many to
 * be objects.
 *
 * @param value flow from target to source, at most 1
 * @param cutByDepth capacity of the minimum cut in each layer with attention
 * @param limit smaller of what can leave the target and what can enter the source
 */
record MaxFlow(double value, double[] cutByDepth, double limit) {
  /** The flow between two positions. */
  static MaxFlow between(LayerMeans means, int target, int source) {
    var network = new Network(means, target, source);
    double value = network.fill();
    return new MaxFlow(
        value, network.cutByDepth(), Math.min(network.leaving(), network.entering()));
  }

  /**
   * Nodes are positions between layers, {@code level * width + position}, level 0 below the first
   * layer; from level d + 1 to d an edge goes from each position to itself and to all before it.
   */
  private static final class Network {
    /** Less than this is rounding. */
    private static final double NOTHING = 1e-12;

    private final int depth;
    private final int width;
    private final int top;

    /** What an edge can still take, {@code [layer][query (query + 1) / 2 + key]}. */
    private final double[][] free;

    /** What it carries. */
    private final double[][] carried;

    private final int[] distance;
    private final int[] queue;
    private final int[] next;
    private final int[] path;

    Network(LayerMeans means, int target, int source) {
      depth = means.depth();
      width = target - source + 1;
      top = depth * width + width - 1;
      free = new double[depth][edge(width, 0)];
      carried = new double[depth][edge(width, 0)];
      for (int d = 0; d < depth; d++) {
        for (int i = 0; i < width; i++) {
          System.arraycopy(means.mixed(d, source + i), source, free[d], edge(i, 0), i + 1);
        }
      }
      int nodes = (depth + 1) * width;
      distance = new int[nodes];
      queue = new int[nodes];
      next = new int[nodes];
      path = new int[nodes + 1];
    }

    private static int edge(int query, int key) {
      return query * (query + 1) / 2 + key;
    }

    double leaving() {
      double sum = 0;
      for (int j = 0; j < width; j++) {
        sum += capacity(depth - 1, edge(width - 1, j));
      }
      return sum;
    }

    double entering() {
      double sum = 0;
      for (int i = 0; i < width; i++) {
        sum += capacity(0, edge(i, 0));
      }
      return sum;
    }

    private double capacity(int d, int edge) {
      return free[d][edge] + carried[d][edge];
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
      for (int head = 0; head < tail && distance[0] < 0; head++) {
        int node = queue[head];
        for (int e = 0; e < edges(node); e++) {
          int other = other(node, e);
          if (distance[other] < 0 && room(node, e) > NOTHING) {
            distance[other] = distance[node] + 1;
            queue[tail++] = other;
          }
        }
      }
      return distance[0] >= 0;
    }

    /** Edges of a node: those down to its own and earlier positions, then those up, undone. */
    private int edges(int node) {
      int level = node / width;
      int position = node % width;
      return (level > 0 ? position + 1 : 0) + (level < depth ? width - position : 0);
    }

    private int down(int node) {
      return node >= width ? node % width + 1 : 0;
    }

    private int other(int node, int e) {
      int level = node / width;
      int down = down(node);
      return e < down ? (level - 1) * width + e : (level + 1) * width + node % width + (e - down);
    }

    private double room(int node, int e) {
      int level = node / width;
      int position = node % width;
      int down = down(node);
      return e < down
          ? free[level - 1][edge(position, e)]
          : carried[level][edge(position + e - down, position)];
    }

    private void push(int node, int e, double flow) {
      int level = node / width;
      int position = node % width;
      int down = down(node);
      int d = e < down ? level - 1 : level;
      int at = e < down ? edge(position, e) : edge(position + e - down, position);
      double forward = e < down ? flow : -flow;
      free[d][at] -= forward;
      carried[d][at] += forward;
    }

    /** Flow along one more shortest path, 0 when there is none. */
    private double augment() {
      int length = 0;
      path[0] = top;
      while (true) {
        int node = path[length];
        if (node == 0) {
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
          for (int j = 0; j <= i; j++) {
            if (distance[(d + 1) * width + i] >= 0 && distance[d * width + j] < 0) {
              cut[d] += capacity(d, edge(i, j));
            }
          }
        }
      }
      return cut;
    }
  }
}
