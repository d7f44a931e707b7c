package org.modeltracer.lens;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.model.Subscription;
import org.modeltracer.session.SessionListener;
import org.modeltracer.session.TracedSession;

/**
 * A lens on a session: reads every position whose scores the model computes.
 *
 * <p>States are copied as they pass, of the wanted positions only, and read when their pass is
 * done. Held at most: layers × width × positions of one batch, and the scores of one position. It
 * looks at sequence 0, and is to be closed before its session.
 */
public final class LensTrace implements SessionListener, AutoCloseable {
  private final TracedSession session;
  private final LogitLens lens;
  private final LensReader reader;
  private final LensOptions options;
  private final Consumer<PositionReading> target;
  private final Map<Integer, Integer> rows = new HashMap<>();
  private final Arena arena = Arena.ofShared();
  private final Deque<MemorySegment> free = new ArrayDeque<>();
  private final Map<Integer, MemorySegment> states = new HashMap<>();
  private final Subscription subscription;
  private int[] prompt = {};

  /** The token at the next position, once the prompt is over; -1 before. */
  private int generated = -1;

  private LensTrace(TracedSession session, LensOptions options, Consumer<PositionReading> target) {
    this.session = session;
    this.options = options;
    this.target = target;
    lens = LogitLens.of(session);
    reader =
        new LensReader(
            lens.layers(),
            session.context().model().vocabulary()::text,
            lens.vocabulary(),
            options);
    for (int i = 0; i < lens.layers().size(); i++) {
      rows.put(lens.layers().get(i), i);
    }
    subscription = session.listen(this);
  }

  /**
   * Puts a lens on a session.
   *
   * @param target takes each position, on the runtime's thread
   * @throws LlamaException when this model's states cannot be read as scores
   */
  public static LensTrace attach(
      TracedSession session, LensOptions options, Consumer<PositionReading> target) {
    return new LensTrace(session, options, target);
  }

  /** The lens. */
  public LogitLens lens() {
    return lens;
  }

  /** A prompt is about to run. */
  public void begin(int[] tokens) {
    prompt = session.decoded(tokens);
    generated = -1;
    free.addAll(states.values());
    states.clear();
  }

  @Override
  public boolean states() {
    return true;
  }

  @Override
  public void onState(
      int layer, int sequence, int position, MemorySegment values, long offset, int width) {
    Integer row = rows.get(layer);
    // A generated token may come before the prompt's end where the context was shifted.
    boolean wanted = options.everyPosition() || generated >= 0 || position >= prompt.length - 1;
    if (sequence != 0 || !wanted || row == null || width != lens.width()) {
      return;
    }
    MemorySegment block = states.computeIfAbsent(position, p -> block());
    MemorySegment.copy(values, offset, block, 4L * width * row, 4L * width);
  }

  private MemorySegment block() {
    MemorySegment known = free.poll();
    MemorySegment block =
        known != null ? known : arena.allocate(4L * lens.layers().size() * lens.width(), 64);
    // NaN in every float: what never comes is not mistaken for what another token left.
    return block.fill((byte) -1);
  }

  /** Positions that there is memory for. */
  int held() {
    return states.size() + free.size();
  }

  @Override
  public void onLogits(int sequence, int position, MemorySegment logits, int chosen) {
    MemorySegment block = sequence == 0 ? states.remove(position) : null;
    if (block == null) {
      return;
    }
    free.add(block);
    boolean within = generated < 0;
    if (within && position >= prompt.length) {
      return;
    }
    int token = within ? prompt[position] : generated;
    int next = within && position + 1 < prompt.length ? prompt[position + 1] : chosen;
    target.accept(reader.read(position, token, next, lens.scores(block), logits));
    generated = chosen;
  }

  /** Takes the lens off. */
  @Override
  public void close() {
    subscription.close();
    lens.close();
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
