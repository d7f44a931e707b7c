package org.modeltracer.model;

/**
 * One attention head.
 *
 * @param layer layer index, from 0
 * @param head query head index inside the layer, from 0
 */
public record HeadId(int layer, int head) implements Comparable<HeadId> {
  @Override
  public int compareTo(HeadId other) {
    return layer != other.layer
        ? Integer.compare(layer, other.layer)
        : Integer.compare(head, other.head);
  }

  @Override
  public String toString() {
    return "L" + layer + "H" + head;
  }
}
