package org.modeltracer.quant;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.process.BoundedLines;
import org.modeltracer.process.ChildJvm;
import org.modeltracer.process.ExitStatus;
import org.modeltracer.process.LastWords;

/**
 * The other model in a process of its own, on another llama.cpp.
 *
 * <p>Two builds whose libraries have the same names cannot be in one process. The pipe between the
 * processes holds the other one up when it is ahead.
 */
final class ProcessPartner implements Partner {
  private static final int PATIENCE_SECONDS = 5;
  private static final int LONGEST_LINE = 1 << 14;

  private final Process process;
  private final LastWords words = new LastWords();
  private final Thread listener;
  private final PartnerStream wire;
  private final String version;
  private final List<NodeInfo> nodes = new ArrayList<>();
  private MemorySegment buffer = MemorySegment.ofArray(new float[0]);
  private boolean running;
  private boolean owesAnswer;

  ProcessPartner(Setup setup) {
    try {
      process = ChildJvm.of(PartnerProcess.class, setup.model()).start();
      listener = Thread.ofPlatform().daemon().start(() -> listen(process.getErrorStream()));
      wire = new PartnerStream(process.getInputStream(), process.getOutputStream());
    } catch (IOException e) {
      throw new LlamaException(
          LlamaException.Kind.LIBRARY, "cannot start a second process: " + e.getMessage(), e);
    }
    try {
      wire.setup(setup);
      expect(PartnerStream.HELLO);
      version = wire.required();
      int count = wire.in().readInt();
      for (int i = 0; i < count; i++) {
        nodes.add(wire.node());
      }
    } catch (IOException e) {
      throw gone();
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /** Reads a stream to its end, so that who writes never waits. */
  private void listen(InputStream errors) {
    try {
      var unused = new BoundedLines(errors, LONGEST_LINE, Long.MAX_VALUE).read(words::accept);
    } catch (IOException e) {
      words.accept(String.valueOf(e.getMessage()));
    }
  }

  /** Reads the letter of the next message, which must be one of two; a failure is thrown. */
  private int expect(int... wanted) throws IOException {
    int what = wire.in().readUnsignedByte();
    if (what == PartnerStream.FAILED) {
      running = false;
      throw new LlamaException(
          LlamaException.Kind.valueOf(wire.required()), "the other model: " + wire.required());
    }
    for (int letter : wanted) {
      if (what == letter) {
        return what;
      }
    }
    throw new LlamaException(
        LlamaException.Kind.DECODE,
        "the process of the other llama.cpp writes something else to its standard output");
  }

  private LlamaException gone() {
    running = false;
    String how = "it closed its output";
    try {
      if (process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        listener.join(TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
        how = ExitStatus.words(process.exitValue(), null, words);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    process.destroyForcibly();
    return new LlamaException(
        LlamaException.Kind.DECODE, "the process of the other llama.cpp ended: " + how);
  }

  @Override
  public String version() {
    return version;
  }

  @Override
  public List<NodeInfo> nodes() {
    return nodes;
  }

  @Override
  public void begin(int[] tokens, Set<String> wanted, Set<String> steered) {
    try {
      wire.begin(tokens, wanted, steered);
      running = true;
    } catch (IOException e) {
      throw gone();
    }
  }

  @Override
  public @Nullable Frame next() {
    if (!running) {
      return null;
    }
    if (owesAnswer) {
      answer(null);
    }
    try {
      if (expect(PartnerStream.FRAME, PartnerStream.OVER) == PartnerStream.OVER) {
        running = false;
        return null;
      }
      int node = wire.in().readInt();
      int firstPosition = wire.in().readInt();
      int rows = wire.in().readInt();
      int width = wire.in().readInt();
      owesAnswer = wire.in().readBoolean();
      long bytes = 4L * rows * width;
      if (buffer.byteSize() < bytes) {
        buffer = MemorySegment.ofArray(new float[rows * width]);
      }
      wire.receive(buffer, bytes);
      return new Frame(node, firstPosition, rows, width, owesAnswer, buffer);
    } catch (IOException e) {
      throw gone();
    }
  }

  @Override
  public void answer(@Nullable MemorySegment values) {
    owesAnswer = false;
    try {
      wire.out().writeByte(PartnerStream.ANSWER);
      wire.out().writeLong(values == null ? 0 : values.byteSize());
      if (values != null) {
        wire.send(values, values.byteSize());
      }
      wire.out().flush();
    } catch (IOException e) {
      throw gone();
    }
  }

  @Override
  public void abandon() {
    if (!running) {
      return;
    }
    try {
      wire.out().writeByte(PartnerStream.CANCEL);
      wire.out().flush();
    } catch (IOException e) {
      running = false;
    }
    while (running) {
      try {
        next();
      } catch (RuntimeException ended) {
        running = false;
      }
    }
  }

  /** Closing its input is how it learns that it is not needed any more. */
  @Override
  public void close() {
    running = false;
    try {
      process.getOutputStream().close();
      if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (IOException e) {
      process.destroyForcibly();
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
