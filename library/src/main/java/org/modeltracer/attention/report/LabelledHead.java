package org.modeltracer.attention.report;

import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedHead;
import org.modeltracer.model.HeadId;

/** A head and what it is for. */
record LabelledHead(CollectedHead collected, HeadSpecialization specialization) {
  /** All heads that showed a row, in order. */
  static List<LabelledHead> all(CollectedAttention attention) {
    return attention.heads().stream()
        .map(head -> new LabelledHead(head, HeadSpecialization.of(head, attention.copies())))
        .toList();
  }

  /** Heads of each layer, in order. */
  static NavigableMap<Integer, List<LabelledHead>> byLayer(List<LabelledHead> heads) {
    return heads.stream()
        .collect(Collectors.groupingBy(LabelledHead::layer, TreeMap::new, Collectors.toList()));
  }

  HeadId id() {
    return collected.id();
  }

  int layer() {
    return collected.id().layer();
  }

  /** What it is for, null when it showed too few rows to tell. */
  @Nullable HeadSpecializationType label() {
    return specialization.label();
  }
}
