package org.modeltracer.cli.export;

import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.TensorStats;
import org.modeltracer.trace.AttentionSummary;
import org.modeltracer.trace.ObservedPlace;
import org.modeltracer.trace.PlaceTrace;

/**
 * What a tracer saw, as tables with a header line: comma-separated, a number that is none empty.
 */
public final class TraceTables {
  private TraceTables() {}

  /** One line for each place: what its values were, over everything that ran. */
  public static String activations(Iterable<ObservedPlace> places) {
    var table =
        new StringBuilder(
            "site,layer,observations,count,nan,inf,zero,min,max,mean,std,l2,headroom_bits\n");
    for (ObservedPlace place : places) {
      PlaceTrace seen = place.stats();
      TensorStats all = seen.aggregate();
      line(
          table,
          place.site().id(),
          place.layer(),
          seen.observations(),
          all.count(),
          all.nan(),
          all.inf(),
          all.zero(),
          all.min(),
          all.max(),
          all.mean(),
          all.std(),
          all.l2(),
          seen.headroomBits());
    }
    return table.toString();
  }

  /** One line for each head: means over its rows of attention. */
  public static String heads(Iterable<AttentionSummary.Head> heads) {
    var table =
        new StringBuilder(
            "layer,head,rows,entropy,normalized_entropy,sink_mass,recency,max_weight,uniform_rows\n");
    for (AttentionSummary.Head head : heads) {
      line(
          table,
          head.layer(),
          head.head(),
          head.rows(),
          head.entropy(),
          head.normalizedEntropy(),
          head.sinkMass(),
          head.recency(),
          head.maxWeight(),
          head.uniformRows());
    }
    return table.toString();
  }

  private static void line(StringBuilder table, @Nullable Object... cells) {
    var line = new StringJoiner(",", "", "\n");
    for (@Nullable Object cell : cells) {
      boolean none = cell == null || cell instanceof Double number && !Double.isFinite(number);
      line.add(none ? "" : String.valueOf(cell));
    }
    table.append(line);
  }
}
