package org.modeltracer.attention.report;

import java.util.List;
import org.modeltracer.model.HeadId;

/**
 * Average linkage of heads by the divergence of what they attend to, from which clusters are cut.
 *
 * @param heads the heads compared, numbered from 0
 * @param merges {@code [first, second, height]} in order of height, in nats; what merge i makes is
 *     numbered n + i, n being the number of heads
 */
public record HeadTree(List<HeadId> heads, List<double[]> merges) {
  static HeadTree of(List<LabelledHead> labelled, HeadDistances distances) {
    return new HeadTree(
        distances.compared(labelled).stream().map(LabelledHead::id).toList(),
        AverageLinkage.merges(distances.divergence()));
  }
}
