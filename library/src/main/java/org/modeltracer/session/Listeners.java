package org.modeltracer.session;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.model.Subscription;
import org.modeltracer.probe.NodeValues;
import org.modeltracer.probe.PassSink;

/** Those who follow a session, in the order in which they were added. */
public final class Listeners implements PassSink {
  private static final Set<Site> STATES = EnumSet.of(Site.EMBEDDING, Site.LAYER_OUT);

  /** Not read row by row: one row for each head, and choices of experts. */
  private static final Set<Site> NO_ROWS = EnumSet.of(Site.ATTENTION, Site.EXPERTS);

  /** A listener, and what it wanted when it was added. */
  private record Entry(
      SessionListener listener, Set<Site> rows, Set<String> nodes, boolean states) {}

  private final Set<Site> always;
  private volatile Set<Site> sites;
  private volatile Entry[] entries = {};
  private volatile Set<Site> rows = EnumSet.noneOf(Site.class);
  private volatile Set<String> nodes = Set.of();
  private volatile boolean states;

  /**
   * No listeners.
   *
   * @param always places that are watched whoever listens
   */
  public Listeners(Set<Site> always) {
    this.always = Set.copyOf(always);
    sites = this.always;
  }

  /**
   * Adds one.
   *
   * @throws IllegalArgumentException when it wants rows of a kind of place that has none
   */
  public synchronized Subscription add(SessionListener listener) {
    var entry =
        new Entry(
            listener, Set.copyOf(listener.rows()), Set.copyOf(listener.nodes()), listener.states());
    for (Site site : entry.rows) {
      if (NO_ROWS.contains(site)) {
        throw new IllegalArgumentException(
            "no listener has rows of %s; TraceListener has those of attention".formatted(site));
      }
    }
    Entry[] more = Arrays.copyOf(entries, entries.length + 1);
    more[more.length - 1] = entry;
    set(more);
    return () -> remove(entry);
  }

  private synchronized void remove(Entry entry) {
    set(Arrays.stream(entries).filter(e -> e != entry).toArray(Entry[]::new));
  }

  private void set(Entry[] now) {
    Set<Site> wanted = EnumSet.noneOf(Site.class);
    Set<String> keys = new HashSet<>();
    boolean any = false;
    for (Entry entry : now) {
      wanted.addAll(entry.rows);
      keys.addAll(entry.nodes);
      any |= entry.states;
    }
    Set<Site> all = EnumSet.copyOf(wanted);
    all.addAll(always);
    all.addAll(any ? STATES : Set.of());
    sites = all.equals(sites) ? sites : Set.copyOf(all);
    rows = wanted;
    nodes = Set.copyOf(keys);
    states = any;
    entries = now;
  }

  /** Keys of all nodes that anybody wants. */
  Set<String> nodes() {
    return nodes;
  }

  /** Kinds of places to watch; the same object until they change. */
  public Set<Site> sites() {
    return sites;
  }

  @Override
  public boolean wantsStates() {
    return states;
  }

  @Override
  public boolean wantsRows(Site site) {
    return rows.contains(site);
  }

  @Override
  public void onState(
      int layer, int sequence, int position, MemorySegment values, long offset, int width) {
    for (Entry entry : entries) {
      if (entry.states) {
        entry.listener.onState(layer, sequence, position, values, offset, width);
      }
    }
  }

  @Override
  public void onRow(
      Place place, int sequence, int position, MemorySegment values, long offset, int width) {
    for (Entry entry : entries) {
      if (entry.rows.contains(place.site())) {
        entry.listener.onRow(place, sequence, position, values, offset, width);
      }
    }
  }

  @Override
  public void onNode(NodeValues values) {
    for (Entry entry : entries) {
      if (entry.nodes.contains(values.node().key())) {
        entry.listener.onNode(values);
      }
    }
  }

  /** A text begins. */
  void begin(List<Generation.Token> prompt) {
    for (Entry entry : entries) {
      entry.listener.onBegin(prompt);
    }
  }

  /** Whether nobody listens. */
  boolean isEmpty() {
    return entries.length == 0;
  }

  void token(Generation.Token token) {
    for (Entry entry : entries) {
      entry.listener.onToken(token);
    }
  }

  void end(Generation result) {
    for (Entry entry : entries) {
      entry.listener.onEnd(result);
    }
  }

  void failure(Throwable failure) {
    for (Entry entry : entries) {
      entry.listener.onFailure(failure);
    }
  }

  /** Scores of a token that follows a position; see {@link SessionListener#onLogits}. */
  public void logits(int sequence, int position, MemorySegment logits, int chosen) {
    for (Entry entry : entries) {
      entry.listener.onLogits(sequence, position, logits, chosen);
    }
  }

  void prompt(int done, int all) {
    for (Entry entry : entries) {
      entry.listener.onPrompt(done, all);
    }
  }

  void anomalousPass(Anomaly worst, Replay replay) {
    for (Entry entry : entries) {
      entry.listener.onAnomalousPass(worst, replay);
    }
  }

  /** Positions are about to move; see {@link SessionListener#onShift}. */
  public void shift(int sequence, int from, int to, int delta) {
    for (Entry entry : entries) {
      entry.listener.onShift(sequence, from, to, delta);
    }
  }
}
