package org.modeltracer.attach;

import org.modeltracer.trace.ModelTracer;

/** Follows what becomes of traced processes; called by the thread that reads their records. */
public interface RemoteListener {
  /** A context has begun to work: who traces it. */
  ModelTracer onTracer(Origin origin);

  /** That context, with its tracer. */
  default void onContext(Origin origin, RemoteContext context) {}

  /**
   * The model of a context is known by its graphs, and nothing of them was read yet: what is added
   * to the context here sees everything.
   */
  default void onKnown(Origin origin, RemoteContext context) {}

  /** A context is told of no more, and its tracer has everything. */
  default void onEnd(Origin origin, RemoteContext context) {}

  /** Something that people should know about a context, in one line. */
  default void onNote(Origin origin, String words) {}
}
