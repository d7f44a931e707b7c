package org.modeltracer.probe;

/**
 * What observing has cost a session.
 *
 * @param graphNodes nodes of a prompt's graph
 * @param nodesAsked nodes the hook was asked about
 * @param nodesObserved nodes whose values were read
 * @param bytesObserved bytes reduced to statistics
 * @param bytesCopied bytes that were first copied out of a device's memory
 * @param droppedKeys keys in sight of a query whose position was unknown, and whose rows of
 *     attention were therefore left out; 0 when every row is there
 */
public record ProbeCost(
    int graphNodes,
    long nodesAsked,
    long nodesObserved,
    long bytesObserved,
    long bytesCopied,
    long droppedKeys) {

  /** This and what observing an encoder has cost. */
  public ProbeCost with(ForwardProbe encoder) {
    return new ProbeCost(
        graphNodes,
        nodesAsked + encoder.nodesAsked(),
        nodesObserved + encoder.nodesObserved(),
        bytesObserved + encoder.bytesObserved(),
        bytesCopied + encoder.bytesCopied(),
        droppedKeys + encoder.droppedKeys());
  }
}
