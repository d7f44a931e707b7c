package org.modeltracer.lens;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.Stream;
import org.modeltracer.graph.Unembedding;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.SideGraph;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.session.TracedSession;

/**
 * Turns the states of one token after all layers into scores, in one batched multiplication.
 *
 * <p>What is computed is what the model's own graph does after its last layer, node by node, so
 * that the scores of the last layer are the model's own.
 */
public final class LogitLens implements AutoCloseable {
  private final Unembedding unembedding;
  private final List<Integer> layers;
  private final SideGraph graph;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment scores;

  private LogitLens(TracedSession session) {
    unembedding = session.unembedding();
    layers =
        Stream.concat(Stream.of(Place.BEFORE_LAYERS), session.layers().stream())
            .filter(layer -> session.sites().stream().anyMatch(s -> s.place().equals(state(layer))))
            .toList();
    var context = session.context();
    int threads = context.options().threads();
    graph = unembedding.graph(context.model(), threads, layers.size());
    scores = arena.allocate(4L * layers.size() * unembedding.vocabulary(), 64);
  }

  /**
   * A lens for the model of a session.
   *
   * @throws LlamaException when the model makes no scores, or not of the last state alone
   */
  public static LogitLens of(TracedSession session) {
    return new LogitLens(session);
  }

  private static Place state(int layer) {
    return new Place(layer < 0 ? Site.EMBEDDING : Site.LAYER_OUT, layer);
  }

  /** Layers with a state, ascending: -1 for the embedding, then all from 0. */
  public List<Integer> layers() {
    return layers;
  }

  /** Width of a state. */
  public int width() {
    return unembedding.width();
  }

  /** Number of scores. */
  public int vocabulary() {
    return unembedding.vocabulary();
  }

  /** What is done to a state, such as {@code RMS_NORM, MUL output_norm.weight}. */
  public List<String> steps() {
    return unembedding.steps();
  }

  /**
   * Scores after every layer.
   *
   * @param states native memory, float32 {@code [layer][width]} in the order of {@link #layers}
   * @return float32 {@code [layer][vocabulary]}, valid until the next call
   */
  public MemorySegment scores(MemorySegment states) {
    graph.compute(states, scores);
    return scores.asReadOnly();
  }

  @Override
  public void close() {
    graph.close();
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
