package org.modeltracer.quant;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.Engine;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.ModelOptions.Placement;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;

/**
 * What two processes on one machine say to each other: a letter that tells what comes, then it.
 *
 * <p>Numbers of frames are sent as they lie in memory; both processes run on the same processor.
 */
final class PartnerStream {
  /** To the other process: a pass begins; values to go on with; end the pass. */
  static final int BEGIN = 'b';

  static final int ANSWER = 'a';
  static final int CANCEL = 'c';

  /** From the other process: its graph; a node; the pass is over; it failed. */
  static final int HELLO = 'h';

  static final int FRAME = 'f';
  static final int OVER = 'o';
  static final int FAILED = 'x';

  private static final int PIECE = 1 << 16;

  private final DataInputStream in;
  private final DataOutputStream out;
  private final byte[] piece = new byte[PIECE];
  private final byte[] incoming = new byte[PIECE];

  PartnerStream(InputStream in, OutputStream out) {
    this.in = new DataInputStream(new BufferedInputStream(in, PIECE));
    this.out = new DataOutputStream(new BufferedOutputStream(out, PIECE));
  }

  DataInputStream in() {
    return in;
  }

  DataOutputStream out() {
    return out;
  }

  void setup(Setup setup) throws IOException {
    ContextOptions context = setup.context();
    text(setup.model().toString());
    Path library = setup.engine().library();
    Placement placement = setup.engine().placement();
    text(library == null ? null : library.toString());
    out.writeInt(placement.gpuLayers());
    texts(placement.rpcServers());
    out.writeBoolean(placement.extraBuffers());
    out.writeInt(context.size().tokens());
    out.writeInt(context.size().microBatch());
    out.writeInt(context.threads());
    text(context.flashAttention().name());
    text(context.cache().keys().name());
    text(context.cache().values().name());
    out.writeBoolean(context.cache().fullWindow());
    out.flush();
  }

  Setup setup() throws IOException {
    Path model = Path.of(required());
    String library = text();
    var placement = new Placement(in.readInt(), texts(), in.readBoolean());
    var engine = new Engine(library == null ? null : Path.of(library), placement);
    int tokens = in.readInt();
    int together = in.readInt();
    int threads = in.readInt();
    var context =
        ContextOptions.defaults()
            .withContextTokens(tokens)
            .withBatch(together, together)
            .withThreads(threads)
            .withFlashAttention(FlashAttention.valueOf(required()))
            .withCacheTypes(CacheType.valueOf(required()), CacheType.valueOf(required()))
            .withFullWindowCache(in.readBoolean());
    return new Setup(model, engine, context);
  }

  void node(NodeInfo node) throws IOException {
    out.writeInt(node.index());
    text(node.place().site().name());
    out.writeInt(node.place().layer());
    text(node.tensor());
    text(node.op());
    text(node.key());
    out.writeInt(node.width());
    text(node.weight());
  }

  NodeInfo node() throws IOException {
    return new NodeInfo(
        in.readInt(),
        new Place(Site.valueOf(required()), in.readInt()),
        required(),
        required(),
        required(),
        in.readInt(),
        text());
  }

  void begin(int[] tokens, Set<String> wanted, Set<String> steered) throws IOException {
    out.writeByte(BEGIN);
    out.writeInt(tokens.length);
    for (int token : tokens) {
      out.writeInt(token);
    }
    texts(wanted);
    texts(steered);
    out.flush();
  }

  int[] tokens() throws IOException {
    int[] tokens = new int[in.readInt()];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = in.readInt();
    }
    return tokens;
  }

  Set<String> keys() throws IOException {
    return new HashSet<>(texts());
  }

  private void texts(Collection<String> texts) throws IOException {
    out.writeInt(texts.size());
    for (String text : texts) {
      text(text);
    }
  }

  private List<String> texts() throws IOException {
    int n = in.readInt();
    var texts = new ArrayList<String>();
    for (int i = 0; i < n; i++) {
      texts.add(required());
    }
    return texts;
  }

  void text(@Nullable String text) throws IOException {
    out.writeBoolean(text != null);
    if (text != null) {
      out.writeUTF(text);
    }
  }

  @Nullable String text() throws IOException {
    return in.readBoolean() ? in.readUTF() : null;
  }

  String required() throws IOException {
    String text = text();
    if (text == null) {
      throw new IOException("a text is missing");
    }
    return text;
  }

  void send(MemorySegment values, long bytes) throws IOException {
    for (long at = 0; at < bytes; at += PIECE) {
      int n = (int) Math.min(PIECE, bytes - at);
      MemorySegment.copy(values, ValueLayout.JAVA_BYTE, at, piece, 0, n);
      out.write(piece, 0, n);
    }
  }

  void receive(MemorySegment target, long bytes) throws IOException {
    for (long at = 0; at < bytes; at += PIECE) {
      int n = (int) Math.min(PIECE, bytes - at);
      in.readFully(incoming, 0, n);
      MemorySegment.copy(incoming, 0, target, ValueLayout.JAVA_BYTE, at, n);
    }
  }
}
