package org.modeltracer.gate.checks;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.session.SessionListener;

/** Which heads ever put out anything but zero: what each feature of the context has held. */
final class LiveHeads implements SessionListener {
  /** What is to be listened to: the context of each layer, {@code [head, value width]}. */
  private static final Set<Site> SITES = Set.of(Site.CONTEXT);

  /** A head whose output was zero for every token. */
  record Dead(int layer, int head) {}

  private final Map<Integer, boolean[]> alive = new TreeMap<>();

  @Override
  public Set<Site> rows() {
    return SITES;
  }

  @Override
  public void onRow(
      Place place, int sequence, int position, MemorySegment values, long offset, int width) {
    boolean[] features = alive.computeIfAbsent(place.layer(), layer -> new boolean[width]);
    for (int i = 0; i < Math.min(width, features.length); i++) {
      features[i] |= values.get(ValueLayout.JAVA_FLOAT_UNALIGNED, offset + 4L * i) != 0;
    }
  }

  /**
   * Dead heads by layer.
   *
   * @param heads query heads of a layer; a layer whose width they do not divide is left out
   */
  List<Dead> dead(int heads) {
    var dead = new ArrayList<Dead>();
    alive.forEach(
        (layer, features) -> {
          int width = heads > 0 && features.length % heads == 0 ? features.length / heads : 0;
          for (int head = 0; head < heads && width > 0; head++) {
            boolean[] own = Arrays.copyOfRange(features, head * width, (head + 1) * width);
            if (!anyOf(own)) {
              dead.add(new Dead(layer, head));
            }
          }
        });
    return dead;
  }

  private static boolean anyOf(boolean[] features) {
    for (boolean feature : features) {
      if (feature) {
        return true;
      }
    }
    return false;
  }
}
