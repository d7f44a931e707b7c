package org.modeltracer.model;

/** What was added to a list of listeners, and can be taken off it; doing so twice does no harm. */
public interface Subscription extends AutoCloseable {
  @Override
  void close();
}
