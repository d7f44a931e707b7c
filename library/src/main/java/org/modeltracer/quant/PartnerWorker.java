package org.modeltracer.quant;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.probe.NodeValues;
import org.modeltracer.process.MessageChannel;

/** The process that runs the other model on another llama.cpp; its life ends with its parent's. */
final class PartnerWorker {
  private record Answer(@Nullable MemorySegment values) {}

  private final MessageChannel<PartnerMessage, PartnerOrder> parent;
  private final BlockingQueue<PartnerOrder.Begin> passes = new LinkedBlockingQueue<>();
  private final BlockingQueue<Answer> answers = new LinkedBlockingQueue<>();
  private volatile @Nullable OpenModel model;
  private MemorySegment incoming = MemorySegment.NULL;

  private PartnerWorker(MessageChannel<PartnerMessage, PartnerOrder> parent) {
    this.parent = parent;
  }

  /** Runs until the parent closes this process's standard input. */
  public static void main(String[] args) throws IOException {
    new PartnerWorker(MessageChannel.toParent(PartnerMessage.class, PartnerOrder.class)).run();
  }

  private void run() throws IOException {
    if (!(parent.next() instanceof PartnerOrder.Open(Setup setup))) {
      return;
    }
    parent.follow(this::take);
    try {
      OpenModel opened = new OpenModel(setup.engine().runtime(), setup);
      model = opened;
      parent.send(
          new PartnerMessage.Opened(
              opened.model().runtime().version(), opened.offloads(), opened.session().nodes()));
      while (true) {
        pass(opened, passes.take());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      parent.send(failed(e));
    }
  }

  private void pass(OpenModel opened, PartnerOrder.Begin pass) throws IOException {
    opened.session().context().resume();
    answers.clear();
    PartnerMessage end = new PartnerMessage.Over();
    try {
      opened.read(
          pass.tokens(),
          pass.wanted(),
          values -> show(values, pass.steered().contains(values.node().key())));
    } catch (RuntimeException e) {
      end = failed(e);
    }
    parent.send(end);
  }

  private static PartnerMessage failed(RuntimeException e) {
    return new PartnerMessage.Failed(
        e instanceof LlamaException llama ? llama.kind() : LlamaException.Kind.DECODE,
        String.valueOf(e.getMessage()));
  }

  private void show(NodeValues values, boolean steered) {
    boolean waits = steered && values.replaceable();
    try {
      parent.send(
          new PartnerMessage.Node(
              values.node().index(), values.firstPosition(), values.rows(), values.width(), waits),
          values.values().asSlice(0, 4L * values.rows() * values.width()));
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

  private void take(PartnerOrder order) throws IOException {
    OpenModel opened = model;
    switch (order) {
      case PartnerOrder.Begin begin -> passes.add(begin);
      case PartnerOrder.Answer(long bytes) -> answers.add(new Answer(values(bytes)));
      case PartnerOrder.Cancel() when opened != null -> opened.session().cancel();
      case PartnerOrder.Cancel() -> {}
      case PartnerOrder.Open open -> throw new IOException("a model is open already");
    }
  }

  private @Nullable MemorySegment values(long bytes) throws IOException {
    if (bytes == 0) {
      return null;
    }
    if (incoming.byteSize() < bytes) {
      incoming = Arena.global().allocate(bytes, 64);
    }
    MemorySegment values = incoming.asSlice(0, bytes);
    parent.receive(values);
    return values;
  }
}
