package org.modeltracer.attach;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.LoadedLlama;
import org.modeltracer.llama.Tensor;
import org.modeltracer.model.Site;
import org.modeltracer.trace.ModelTracer;

/**
 * A context that other code of this process works with: what the agent is to a context of another
 * process, without copies of what lies in host memory.
 */
final class LoadedContext implements Plans {
  private static final int HEADER = 32;
  private static final int OP = 64;
  private static final int TENSOR = 272;
  private static final int CHANGED = 80;
  private static final int SOURCES = 10;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

  /** Graphs of one structure, and the sizes that were told of them last. */
  private static final class Topology {
    final int number;
    byte[] wants = {};
    long rows;
    final List<MemorySegment> shown = new ArrayList<>();

    Topology(int number) {
      this.number = number;
    }
  }

  private final LlamaRuntime runtime;
  private final RemoteContext context;
  private final Tensor window;
  private final Tensor other;
  private final Map<Long, Topology> topologies = new LinkedHashMap<>();
  private final Map<Long, Integer> numbers = new HashMap<>();
  private final List<Long> table = new ArrayList<>();
  private final Map<Integer, MemorySegment> copies = new HashMap<>();
  private final List<int[]> links = new ArrayList<>();
  private long[] nodes = {};
  private int[] nodeNumbers = {};
  private @Nullable Topology topology;
  private LoadedLlama.@Nullable Decoding decoding;
  private int cursor;
  private int current;
  private int version;
  private long sequence;

  LoadedContext(
      LlamaRuntime runtime,
      ModelTracer tracer,
      Set<Site> sites,
      Function<RemoteContext, Optional<GgufFile>> models,
      Consumer<RemoteContext> known) {
    this.runtime = runtime;
    window = new Tensor(runtime);
    other = new Tensor(runtime);
    context = new RemoteContext(runtime, tracer, this, sites, models, known);
  }

  RemoteContext context() {
    return context;
  }

  /** A graph is about to be computed. */
  void begin(boolean rebuilt, long[] tensors, LoadedLlama.@Nullable Decoding decode) {
    if (rebuilt || !Arrays.equals(nodes, tensors)) {
      read(tensors);
    }
    if (decode != null && decode != decoding) {
      decoding = decode;
      tell(decode);
    }
    Topology known = recognised();
    topology = known;
    cursor = 0;
    if (known != null) {
      pass(known, decode != null);
    }
  }

  private void read(long[] tensors) {
    nodes = tensors.clone();
    numbers.clear();
    table.clear();
    links.clear();
    nodeNumbers = new int[nodes.length];
    for (int i = 0; i < nodes.length; i++) {
      nodeNumbers[i] = number(nodes[i]) - 1;
    }
  }

  /** Number of a tensor in the table plus one; its sources come before it. */
  private int number(long tensor) {
    Integer known = numbers.get(tensor);
    if (known != null) {
      return known;
    }
    Tensor t = new Tensor(runtime).at(tensor);
    int[] link = new int[SOURCES + 1];
    for (int i = 0; i < SOURCES; i++) {
      long source = t.source(i);
      link[i] = source == 0 || source == tensor ? 0 : number(source);
    }
    long viewed = t.viewSource();
    link[SOURCES] = viewed == 0 || viewed == tensor ? 0 : number(viewed);
    table.add(tensor);
    links.add(link);
    numbers.put(tensor, table.size());
    return table.size();
  }

  private @Nullable Topology recognised() {
    long hash = table.size();
    for (int i = 0; i < nodes.length; i++) {
      window.at(nodes[i]);
      hash = 31 * hash + window.opCode();
      hash = 31 * hash + window.type();
      hash = 31 * hash + window.nameHash();
      hash = 31 * hash + Arrays.hashCode(links.get(nodeNumbers[i]));
    }
    Topology known = topologies.get(hash);
    window.at(nodes[0]);
    long rows = window.ne(1) * window.ne(2) * window.ne(3);
    if (known == null) {
      if (topologies.size() == Channel.MOST_TOPOLOGIES) {
        return null;
      }
      known = new Topology(topologies.size());
      topologies.put(hash, known);
      survey(known, rows);
    } else if (known.rows == 1 && rows > 1) {
      survey(known, rows);
    }
    return known;
  }

  private void survey(Topology told, long rows) {
    told.rows = rows;
    told.shown.clear();
    var ops = new LinkedHashMap<List<String>, Integer>();
    for (long tensor : table) {
      window.at(tensor);
      ops.putIfAbsent(List.of(window.opName(), description(window)), ops.size());
    }
    long bytes = HEADER + (long) OP * ops.size() + (long) TENSOR * table.size();
    MemorySegment record = record(RecordType.SURVEY, bytes);
    record.set(INT, 16, told.number);
    record.set(INT, 20, table.size());
    record.set(INT, 24, nodes.length);
    record.set(INT, 28, ops.size());
    ops.forEach(
        (names, i) -> {
          text(record, HEADER + (long) OP * i, names.get(0), 32);
          text(record, HEADER + (long) OP * i + 32, names.get(1), 32);
        });
    Map<Integer, Integer> places = new HashMap<>();
    for (int i = 0; i < nodes.length; i++) {
      places.put(nodeNumbers[i], i);
    }
    for (int i = 0; i < table.size(); i++) {
      long at = HEADER + (long) OP * ops.size() + (long) TENSOR * i;
      window.at(table.get(i));
      MemorySegment sizes = sizes(i);
      told.shown.add(sizes);
      record.set(LONG, at, table.get(i));
      MemorySegment.copy(sizes, 8, record, at + 8, 72);
      record.set(INT, at + 80, window.type());
      record.set(INT, at + 84, window.flags());
      for (int p = 0; p < 16; p++) {
        record.set(INT, at + 88 + 4L * p, window.intParam(p));
      }
      Integer op = ops.get(List.of(window.opName(), description(window)));
      record.set(INT, at + 152, op == null ? 0 : op);
      record.set(INT, at + 156, places.getOrDefault(i, -1));
      record.set(INT, at + 160, links.get(i)[SOURCES]);
      for (int s = 0; s < SOURCES; s++) {
        record.set(INT, at + 164 + 4L * s, links.get(i)[s]);
      }
      text(record, at + 208, window.name(), 64);
    }
    context.take(RecordType.SURVEY, record);
  }

  /** A leaf has no operation that could be described. */
  private static String description(Tensor t) {
    return t.opCode() == 0 ? t.opName() : t.opDescription();
  }

  /** Sizes of the tensor in the window, as a record has them. */
  private MemorySegment sizes(int number) {
    MemorySegment sizes = MemorySegment.ofArray(new byte[CHANGED]);
    sizes.set(INT, 0, number);
    sizes.set(INT, 4, window.flags());
    for (int d = 0; d < Tensor.DIMS; d++) {
      sizes.set(LONG, 8 + 8L * d, window.ne(d));
      sizes.set(LONG, 40 + 8L * d, window.nb(d));
    }
    sizes.set(LONG, 72, window.viewOffset());
    return sizes;
  }

  private static void text(MemorySegment record, long at, String text, int room) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    MemorySegment.copy(
        bytes, 0, record, ValueLayout.JAVA_BYTE, at, Math.min(bytes.length, room - 1));
  }

  private MemorySegment record(RecordType type, long bytes) {
    MemorySegment record = MemorySegment.ofArray(new byte[Math.toIntExact(bytes + 7 & ~7L)]);
    record.set(INT, 0, (int) record.byteSize());
    record.set(INT, 4, type.number());
    record.set(LONG, 8, sequence++);
    return record;
  }

  private void tell(LoadedLlama.Decoding decode) {
    int n = decode.tokens().size();
    MemorySegment record = record(RecordType.DECODE, 24 + 16L * n);
    record.set(INT, 16, n);
    for (int i = 0; i < n; i++) {
      LoadedLlama.BatchToken token = decode.tokens().get(i);
      long at = 24 + 16L * i;
      record.set(INT, at, token.token());
      record.set(INT, at + 4, token.position());
      record.set(INT, at + 8, token.sequence());
      record.set(INT, at + 12, token.output() ? 1 : 0);
    }
    context.take(RecordType.DECODE, record);
  }

  private void pass(Topology known, boolean told) {
    var changed = new ArrayList<MemorySegment>();
    for (int i = 0; i < table.size(); i++) {
      window.at(table.get(i));
      MemorySegment now = sizes(i);
      if (now.mismatch(known.shown.get(i)) >= 0) {
        known.shown.set(i, now);
        changed.add(now);
      }
    }
    var inputs = new ArrayList<Integer>();
    long bytes = HEADER + (long) CHANGED * changed.size();
    for (int i = 0; i < nodes.length; i++) {
      int source = input(known, i);
      if (source != 0 && window.at(table.get(source - 1)).isHost()) {
        inputs.add(source - 1);
        bytes += 16 + (window.at(table.get(source - 1)).spanBytes() + 7 & ~7L);
      }
    }
    MemorySegment record = record(RecordType.PASS, bytes);
    record.set(INT, 16, known.number);
    record.set(INT, 20, changed.size());
    record.set(INT, 24, inputs.size());
    record.set(INT, 28, version << 1 | (told ? 1 : 0));
    long at = HEADER;
    for (MemorySegment sizes : changed) {
      MemorySegment.copy(sizes, 0, record, at, CHANGED);
      at += CHANGED;
    }
    for (int input : inputs) {
      window.at(table.get(input));
      long span = window.spanBytes();
      record.set(INT, at, input);
      record.set(LONG, at + 8, span);
      MemorySegment.copy(window.hostData(), 0, record, at + 16, span);
      at += 16 + (span + 7 & ~7L);
    }
    context.take(RecordType.PASS, record);
  }

  /** The input of a node that is wanted: its number plus one, 0 for none. */
  private int input(Topology known, int node) {
    return (known.wants[node] & Wants.INPUT) == 0 ? 0 : links.get(nodeNumbers[node])[1];
  }

  /** What a device works on is copied there just before. */
  private void deviceInput(Topology known, int node) {
    int source = input(known, node);
    if (source != 0 && !other.at(table.get(source - 1)).isHost()) {
      MemorySegment values = values(source - 1);
      MemorySegment record = record(RecordType.INPUT, HEADER + values.byteSize());
      record.set(INT, 16, source - 1);
      record.set(LONG, 24, values.byteSize());
      MemorySegment.copy(values, 0, record, HEADER, values.byteSize());
      context.take(RecordType.INPUT, record);
    }
  }

  /** The values of a tensor: in place where they are in host memory, else a copy. */
  private MemorySegment values(int number) {
    Tensor t = other.at(table.get(number));
    if (t.isHost()) {
      return t.hostData();
    }
    long bytes = t.spanBytes();
    MemorySegment room = copies.getOrDefault(number, MemorySegment.NULL);
    if (room.byteSize() < bytes) {
      room = Arena.ofAuto().allocate(Math.max(64, bytes), 64);
      copies.put(number, room);
    }
    MemorySegment copy = room.asSlice(0, bytes);
    t.read(0, copy, bytes);
    return copy;
  }

  /** Whether a node is wanted, the next one in order. */
  boolean wants(long tensor) {
    Topology known = topology;
    for (int i = cursor; known != null && i < nodes.length; i++) {
      if (nodes[i] == tensor) {
        current = i;
        cursor = i + 1;
        deviceInput(known, i);
        return (known.wants[i] & Wants.VALUES) != 0 && window.at(tensor).elements() > 0;
      }
    }
    return false;
  }

  /** A wanted node has been computed. */
  void observe(long tensor) {
    Topology known = topology;
    if (known == null) {
      return;
    }
    int wants = known.wants[current];
    Map<Integer, MemorySegment> values = new LinkedHashMap<>();
    int[] link = links.get(nodeNumbers[current]);
    boolean fused = (wants & Wants.ROWS) != 0;
    if (!fused) {
      values.put(nodeNumbers[current], values(nodeNumbers[current]));
    }
    int[] sources = fused ? new int[] {0, 1, 3, 4} : new int[] {1};
    for (int s : sources) {
      if ((wants & Wants.MASK) != 0 && link[s] != 0) {
        values.put(link[s] - 1, values(link[s] - 1));
      }
    }
    context.values(current, values);
  }

  /** The graph has been computed. */
  void end() {
    if (topology != null) {
      topology = null;
      context.take(RecordType.PASS_END, record(RecordType.PASS_END, 24));
    }
  }

  /** The batch has been decoded. */
  void decoded() {
    decoding = null;
    context.take(RecordType.DECODE_END, record(RecordType.DECODE_END, 24));
  }

  @Override
  public void plan(int number, byte[] wants) {
    version++;
    topologies.values().stream().filter(t -> t.number == number).forEach(t -> t.wants = wants);
  }

  @Override
  public int version() {
    return version;
  }

  @Override
  public void heads(IntPredicate wanted) {
    // All rows are computed where they are read, those that nobody wants never.
  }

  @Override
  public void anyOrder(boolean any) {
    // Sums are taken by the tracer's own kernels.
  }

  @Override
  public void answered(int surveys) {
    // Nobody waits.
  }
}
