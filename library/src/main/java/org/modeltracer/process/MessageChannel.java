package org.modeltracer.process;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.modeltracer.trace.Json;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.databind.DeserializationContext;
import tools.jackson.databind.deser.std.StdDeserializer;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.module.SimpleModule;
import tools.jackson.databind.ser.std.ToStringSerializer;

/**
 * Messages between two of our processes over the pipes of one of them: a line of JSON each, behind
 * a word that the parent has drawn and native code does not know. What else is printed is skipped.
 *
 * <p>A message may be followed by bytes, such as the values of a tensor. They are sent as they lie
 * in memory: both processes run on the same processor.
 *
 * @param <S> what this side sends
 * @param <R> what it receives
 */
public final class MessageChannel<S, R> {
  /** Exit code of a process whose parent is gone. */
  public static final int NO_PARENT = 3;

  private static final int LONGEST = 64 << 20;
  private static final int PIECE = 1 << 16;

  private static final JsonMapper MAPPER =
      Json.mapper()
          .rebuild()
          .addModule(
              new SimpleModule()
                  .addSerializer(Path.class, ToStringSerializer.instance)
                  .addDeserializer(Path.class, new PathReader()))
          .build();

  /** Takes messages as they arrive. */
  public interface Receiver<R> {
    /** The next message; its bytes, where it has some, are to be received before this returns. */
    void accept(R message) throws IOException;
  }

  private final BoundedLines in;
  private final OutputStream out;
  private final String word;
  private final Class<S> sent;
  private final Class<R> received;
  private final byte[] piece = new byte[PIECE];

  private MessageChannel(
      BoundedLines in, OutputStream out, String word, Class<S> sent, Class<R> received) {
    this.in = in;
    this.out = out;
    this.word = word;
    this.sent = sent;
    this.received = received;
  }

  /**
   * The parent's side.
   *
   * @param in what the child prints
   * @param out what the child reads
   * @param most bytes that the child may print
   */
  static <S, R> MessageChannel<S, R> toChild(
      InputStream in, OutputStream out, long most, Class<S> sent, Class<R> received)
      throws IOException {
    var lines = new BoundedLines(in, LONGEST, most);
    var channel = new MessageChannel<>(lines, out, "@" + UUID.randomUUID(), sent, received);
    channel.write(channel.word + "\n");
    return channel;
  }

  /** The child's side; from now on what Java prints goes to standard error. */
  public static <S, R> MessageChannel<S, R> toParent(Class<S> sent, Class<R> received)
      throws IOException {
    System.setOut(System.err);
    return toParent(System.in, new FileOutputStream(FileDescriptor.out), sent, received);
  }

  /** The child's side, which learns the word from the first line. */
  static <S, R> MessageChannel<S, R> toParent(
      InputStream in, OutputStream out, Class<S> sent, Class<R> received) throws IOException {
    var lines = new BoundedLines(in, LONGEST, Long.MAX_VALUE);
    String word = lines.next();
    return new MessageChannel<>(lines, out, word == null ? "" : word, sent, received);
  }

  /** Sends a message. Several threads may do so. */
  public void send(S message) throws IOException {
    send(message, MemorySegment.NULL);
  }

  /** Sends a message, and bytes after it unless there are none. */
  public synchronized void send(S message, MemorySegment values) throws IOException {
    write("\n" + word + MAPPER.writerFor(sent).writeValueAsString(message) + "\n");
    for (long at = 0; at < values.byteSize(); at += PIECE) {
      int n = (int) Math.min(PIECE, values.byteSize() - at);
      MemorySegment.copy(values, ValueLayout.JAVA_BYTE, at, piece, 0, n);
      out.write(piece, 0, n);
    }
    if (values.byteSize() > 0) {
      out.write('\n');
    }
    out.flush();
  }

  private void write(String text) throws IOException {
    out.write(text.getBytes(StandardCharsets.UTF_8));
  }

  /** The next message, waiting for it; null when the other side has ended. */
  public @Nullable R next() throws IOException {
    for (String line = in.next(); line != null; line = in.next()) {
      R message = line.startsWith(word) ? message(line.substring(word.length())) : null;
      if (message != null) {
        return message;
      }
    }
    return null;
  }

  /** A message; null when other output has broken it. */
  private @Nullable R message(String json) {
    try {
      return MAPPER.readValue(json, received);
    } catch (JacksonException e) {
      return null;
    }
  }

  /** Reads the bytes that follow the message read last: as many as the target takes. */
  public void receive(MemorySegment target) throws IOException {
    in.read(target);
  }

  /** Whether the other side printed more than it may. */
  public boolean exceeded() {
    return in.exceeded();
  }

  /**
   * Takes the parent's messages on a thread of its own. This process ends when its parent closes
   * the channel or goes down, in the middle of whatever it does: native code would go on for
   * nobody.
   */
  public void follow(Receiver<R> receiver) {
    Thread.ofPlatform()
        .daemon()
        .name("parent")
        .start(
            () -> {
              try {
                for (R message = next(); message != null; message = next()) {
                  receiver.accept(message);
                }
              } catch (IOException e) {
                System.err.println("the parent process is gone: " + e.getMessage());
              } finally {
                Runtime.getRuntime().halt(NO_PARENT);
              }
            });
  }

  /** Paths are written as they are: Jackson would make URIs of them. */
  private static final class PathReader extends StdDeserializer<Path> {
    PathReader() {
      super(Path.class);
    }

    @Override
    public Path deserialize(JsonParser in, DeserializationContext context) {
      return Path.of(in.getString());
    }
  }
}
