package org.modeltracer.probe;

/**
 * What observing has cost a session.
 *
 * @param graphNodes nodes of a prompt's graph
 * @param nodesAsked nodes the hook was asked about
 * @param nodesObserved nodes whose values were read
 * @param bytesObserved bytes reduced to statistics
 * @param droppedKeys keys that rows of attention lack because their position was unknown; 0 when
 *     every row is exact
 */
public record ProbeCost(
    int graphNodes, long nodesAsked, long nodesObserved, long bytesObserved, long droppedKeys) {}
