package org.modeltracer.llama;

/**
 * What sees the tensors of a forward pass.
 *
 * <p>Both methods run inside llama.cpp, on the thread that decodes: they must be quick, must not
 * call back into the same context, and the window they get is valid only during the call.
 */
public interface TensorObserver {
  /**
   * Asked once for every node, in execution order, before it is computed.
   *
   * <p>Sources that are inputs (token ids, positions, masks) still hold their values here, on a
   * backend that computes in host memory; later they may be overwritten.
   *
   * @return whether {@link #observe} is wanted, at the cost of splitting the graph here
   */
  boolean wants(Tensor node);

  /** Called when a wanted node has been computed, before anything overwrites it. */
  void observe(Tensor node);
}
