package org.modeltracer.process;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;

/** Both ends of a channel in this process, and what native code would print into it. */
public final class Pipes<P, C> implements AutoCloseable {
  private static final int ROOM = 1 << 20;

  private final MessageChannel<P, C> parent;
  private final MessageChannel<C, P> child;
  private final PipedOutputStream toChild = new PipedOutputStream();
  private final PipedOutputStream toParent = new PipedOutputStream();

  /** Pipes between a parent and a child that send these. */
  public Pipes(Class<P> parents, Class<C> childs) throws IOException {
    var fromParent = new PipedInputStream(toChild, ROOM);
    var fromChild = new PipedInputStream(toParent, ROOM);
    parent = MessageChannel.toChild(fromChild, toChild, ROOM, parents, childs);
    child = MessageChannel.toParent(fromParent, toParent, childs, parents);
  }

  /** The way to talk to a process that a test has started itself. */
  public static <P, C> MessageChannel<P, C> to(Process child, Class<P> parents, Class<C> childs)
      throws IOException {
    return MessageChannel.toChild(
        child.getInputStream(), child.getOutputStream(), ROOM, parents, childs);
  }

  /** The parent's end. */
  public MessageChannel<P, C> parent() {
    return parent;
  }

  /** The child's end. */
  public MessageChannel<C, P> child() {
    return child;
  }

  /** The child's standard output. */
  OutputStream stdout() {
    return toParent;
  }

  @Override
  public void close() throws IOException {
    toChild.close();
    toParent.close();
  }
}
