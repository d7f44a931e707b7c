package org.modeltracer.probe;

/** Receives the nodes of a pass as they are computed. */
public interface NodeListener {
  /** A node has been computed. What is shown is valid during the call only. */
  void onNode(NodeValues values);
}
