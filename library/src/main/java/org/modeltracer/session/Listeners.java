package org.modeltracer.session;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.Set;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.model.Subscription;
import org.modeltracer.probe.NodeValues;
import org.modeltracer.probe.PassSink;

/** Those who follow a session, in the order in which they were added. */
final class Listeners implements PassSink {
  /** A listener, and what it wanted when it was added. */
  private record Entry(
      SessionListener listener, Set<Site> rows, Set<String> nodes, boolean states) {}

  private volatile Entry[] entries = {};
  private volatile Set<Site> rows = EnumSet.noneOf(Site.class);
  private volatile Set<String> nodes = Set.of();
  private volatile boolean states;

  synchronized Subscription add(SessionListener listener) {
    var entry =
        new Entry(
            listener, Set.copyOf(listener.rows()), Set.copyOf(listener.nodes()), listener.states());
    Entry[] more = Arrays.copyOf(entries, entries.length + 1);
    more[more.length - 1] = entry;
    set(more);
    return () -> remove(entry);
  }

  private synchronized void remove(Entry entry) {
    set(Arrays.stream(entries).filter(e -> e != entry).toArray(Entry[]::new));
  }

  private void set(Entry[] now) {
    Set<Site> sites = EnumSet.noneOf(Site.class);
    Set<String> keys = new HashSet<>();
    boolean any = false;
    for (Entry entry : now) {
      sites.addAll(entry.rows);
      keys.addAll(entry.nodes);
      any |= entry.states;
    }
    rows = sites;
    nodes = Set.copyOf(keys);
    states = any;
    entries = now;
  }

  /** Keys of all nodes that anybody wants. */
  Set<String> nodes() {
    return nodes;
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

  void logits(int sequence, int position, MemorySegment logits, int chosen) {
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

  void shift(int sequence, int from, int to, int delta) {
    for (Entry entry : entries) {
      entry.listener.onShift(sequence, from, to, delta);
    }
  }
}
