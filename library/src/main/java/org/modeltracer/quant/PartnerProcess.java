package org.modeltracer.quant;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.probe.NodeValues;

/**
 * The process that runs the other model on another llama.cpp; its life ends with its parent's.
 *
 * <p>Nothing may be written to its standard output but what {@link PartnerStream} says.
 */
final class PartnerProcess {
  private record Pass(int[] tokens, Set<String> wanted, Set<String> steered) {}

  private record Answer(@Nullable MemorySegment values) {}

  private final PartnerStream wire;
  private final BlockingQueue<Pass> passes = new LinkedBlockingQueue<>();
  private final BlockingQueue<Answer> answers = new LinkedBlockingQueue<>();
  private volatile @Nullable OpenModel model;
  private MemorySegment incoming = MemorySegment.NULL;

  private PartnerProcess(PartnerStream wire) {
    this.wire = wire;
  }

  /** Runs until the parent closes this process's standard input. */
  public static void main(String[] args) throws IOException {
    var wire = new PartnerStream(System.in, new FileOutputStream(FileDescriptor.out));
    System.setOut(System.err);
    new PartnerProcess(wire).run(wire.setup());
  }

  private void run(Setup setup) throws IOException {
    Thread.ofPlatform().daemon().name("parent").start(this::listen);
    try {
      OpenModel opened = new OpenModel(setup.engine().runtime(), setup);
      model = opened;
      hello(opened);
      while (true) {
        pass(opened, passes.take());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      failed(e);
    }
  }

  private void hello(OpenModel opened) throws IOException {
    wire.out().writeByte(PartnerStream.HELLO);
    wire.text(opened.model().runtime().version());
    wire.out().writeInt(opened.session().nodes().size());
    for (NodeInfo node : opened.session().nodes()) {
      wire.node(node);
    }
    wire.out().flush();
  }

  private void pass(OpenModel opened, Pass pass) throws IOException {
    opened.session().context().resume();
    answers.clear();
    try {
      opened.read(pass.tokens(), pass.wanted(), values -> show(values, pass.steered()));
    } catch (RuntimeException e) {
      failed(e);
      return;
    }
    wire.out().writeByte(PartnerStream.OVER);
    wire.out().flush();
  }

  private void failed(RuntimeException e) throws IOException {
    wire.out().writeByte(PartnerStream.FAILED);
    wire.text(
        (e instanceof LlamaException llama ? llama.kind() : LlamaException.Kind.DECODE).name());
    wire.text(String.valueOf(e.getMessage()));
    wire.out().flush();
  }

  private void show(NodeValues values, Set<String> steered) {
    boolean waits = steered.contains(values.node().key()) && values.replaceable();
    try {
      wire.out().writeByte(PartnerStream.FRAME);
      wire.out().writeInt(values.node().index());
      wire.out().writeInt(values.firstPosition());
      wire.out().writeInt(values.rows());
      wire.out().writeInt(values.width());
      wire.out().writeBoolean(waits);
      wire.send(values.values(), 4L * values.rows() * values.width());
      wire.out().flush();
      MemorySegment other = waits ? answers.take().values() : null;
      if (other != null) {
        values.replace(other);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private void listen() {
    try {
      int what;
      while ((what = wire.in().read()) >= 0) {
        OpenModel opened = model;
        switch (what) {
          case PartnerStream.BEGIN -> passes.add(new Pass(wire.tokens(), wire.keys(), wire.keys()));
          case PartnerStream.ANSWER -> answers.add(new Answer(answer()));
          case PartnerStream.CANCEL -> {
            if (opened != null) {
              opened.session().cancel();
            }
          }
          default -> throw new IOException("unknown message");
        }
      }
    } catch (IOException e) {
      System.err.println("the parent process is gone: " + e.getMessage());
    }
    // Also in the middle of a pass: native code would go on for nobody.
    Runtime.getRuntime().halt(0);
  }

  private @Nullable MemorySegment answer() throws IOException {
    long bytes = wire.in().readLong();
    if (bytes == 0) {
      return null;
    }
    if (incoming.byteSize() < bytes) {
      incoming = Arena.global().allocate(bytes, 64);
    }
    MemorySegment values = incoming.asSlice(0, bytes);
    wire.receive(values, bytes);
    return values;
  }
}
