package org.modeltracer.quant;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.process.ChildJvm;
import org.modeltracer.process.ChildProcess;
import org.modeltracer.process.ExitStatus;

/**
 * The other model in a process of its own, on another llama.cpp.
 *
 * <p>Two builds whose libraries have the same names cannot be in one process. The pipe between the
 * processes holds the other one up when it is ahead.
 */
final class ProcessPartner implements Partner {
  private final ChildProcess<PartnerOrder, PartnerMessage> process;
  private final PartnerMessage.Opened opened;
  private MemorySegment buffer = MemorySegment.ofArray(new float[0]);
  private boolean running;
  private boolean owesAnswer;

  ProcessPartner(Setup setup) {
    try {
      process =
          new ChildProcess<>(
              ChildJvm.of(PartnerWorker.class, setup.model()),
              Long.MAX_VALUE,
              PartnerOrder.class,
              PartnerMessage.class);
    } catch (IOException e) {
      throw new LlamaException(
          LlamaException.Kind.LIBRARY, "cannot start a second process: " + e.getMessage(), e);
    }
    try {
      send(new PartnerOrder.Open(setup), MemorySegment.NULL);
      if (!(receive() instanceof PartnerMessage.Opened message)) {
        throw new IllegalStateException("the other model runs before it is open");
      }
      opened = message;
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  private void send(PartnerOrder order, MemorySegment values) {
    try {
      process.channel().send(order, values);
    } catch (IOException e) {
      throw gone(e);
    }
  }

  /** The next message; a failure is thrown. */
  private PartnerMessage receive() {
    try {
      PartnerMessage message = process.channel().next();
      if (message == null) {
        throw new IOException("it closed its output");
      }
      if (message instanceof PartnerMessage.Failed(var kind, String words)) {
        running = false;
        throw new LlamaException(kind, "the other model: " + words);
      }
      return message;
    } catch (IOException e) {
      throw gone(e);
    }
  }

  private LlamaException gone(IOException e) {
    running = false;
    String how = String.valueOf(e.getMessage());
    try {
      OptionalInt code = process.exitCode();
      if (code.isPresent()) {
        how = ExitStatus.words(code.getAsInt(), null, process.lastWords());
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
    process.kill();
    return new LlamaException(
        LlamaException.Kind.DECODE, "the process of the other llama.cpp ended: " + how, e);
  }

  @Override
  public String version() {
    return opened.version();
  }

  @Override
  public boolean offloads() {
    return opened.offloads();
  }

  @Override
  public List<NodeInfo> nodes() {
    return opened.nodes();
  }

  @Override
  public void begin(int[] tokens, Set<String> wanted, Set<String> steered) {
    send(new PartnerOrder.Begin(tokens, wanted, steered), MemorySegment.NULL);
    running = true;
  }

  @Override
  public @Nullable Frame next() {
    if (!running) {
      return null;
    }
    if (owesAnswer) {
      answer(null);
    }
    if (!(receive() instanceof PartnerMessage.Node node)) {
      running = false;
      return null;
    }
    owesAnswer = node.waits();
    long bytes = 4L * node.rows() * node.width();
    if (buffer.byteSize() < bytes) {
      buffer = MemorySegment.ofArray(new float[node.rows() * node.width()]);
    }
    try {
      process.channel().receive(buffer.asSlice(0, bytes));
    } catch (IOException e) {
      throw gone(e);
    }
    return new Frame(
        node.node(), node.firstPosition(), node.rows(), node.width(), node.waits(), buffer);
  }

  @Override
  public void answer(@Nullable MemorySegment values) {
    owesAnswer = false;
    MemorySegment sent = values == null ? MemorySegment.NULL : values;
    send(new PartnerOrder.Answer(sent.byteSize()), sent);
  }

  @Override
  public void abandon() {
    if (!running) {
      return;
    }
    try {
      send(new PartnerOrder.Cancel(), MemorySegment.NULL);
      while (running) {
        next();
      }
    } catch (RuntimeException ended) {
      running = false;
    }
  }

  @Override
  public void close() {
    running = false;
    process.close();
  }
}
