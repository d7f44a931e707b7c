package org.modeltracer.session;

import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;

/** Two observers of one graph; each gets the values of the nodes that it wants. */
final class Beside implements TensorObserver {
  private final TensorObserver first;
  private final TensorObserver second;
  private boolean forFirst;
  private boolean forSecond;

  Beside(TensorObserver first, TensorObserver second) {
    this.first = first;
    this.second = second;
  }

  @Override
  public boolean wants(Tensor node) {
    forFirst = first.wants(node);
    forSecond = second.wants(node);
    return forFirst || forSecond;
  }

  @Override
  public void observe(Tensor node) {
    if (forFirst) {
      first.observe(node);
    }
    if (forSecond) {
      second.observe(node);
    }
  }
}
