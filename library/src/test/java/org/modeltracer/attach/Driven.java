package org.modeltracer.attach;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TraceListener;
import org.modeltracer.trace.TracerConfig;

/** A run of the driver, and who traced its contexts. */
final class Driven implements RemoteListener, AutoCloseable {
  /** What the driver is told. */
  record Task(Path model, int contexts, int sequences, boolean flash, int generate, int[] prompt) {
    List<String> words() {
      return List.of(
          model.toString(),
          "" + contexts,
          "" + sequences,
          flash ? "1" : "0",
          "" + generate,
          "1",
          Arrays.stream(prompt).mapToObj(Integer::toString).collect(Collectors.joining(",")));
    }
  }

  final List<ModelTracer> tracers = new CopyOnWriteArrayList<>();
  final List<String> notes = new CopyOnWriteArrayList<>();
  final List<RemoteContext> ended = new CopyOnWriteArrayList<>();
  final List<RowBook> rows = new CopyOnWriteArrayList<>();
  final Attachment attachment;

  /** What the program's environment has beside this one's. */
  final Map<String, String> environment = new HashMap<>();

  String output = "";
  private final TracerConfig config;
  private final TraceListener beside;
  private final GgufFile file;

  Driven(TracerConfig config, Path model, long ring, Attachment.Overflow overflow) {
    this(config, model, ring, overflow, new TraceListener() {});
  }

  Driven(
      TracerConfig config,
      Path model,
      long ring,
      Attachment.Overflow overflow,
      TraceListener beside) {
    this.config = config;
    this.beside = beside;
    file = GgufFile.read(model);
    attachment =
        new Attachment(
            LlamaRuntime.load(),
            ring,
            overflow,
            Set.of(),
            (origin, context) -> Optional.of(file),
            this);
  }

  @Override
  public synchronized ModelTracer onTracer(Origin origin) {
    var tracer = ModelTracer.quiet(config);
    var book = new RowBook();
    tracer.addListener(book);
    tracer.addListener(beside);
    tracers.add(tracer);
    rows.add(book);
    return tracer;
  }

  @Override
  public void onEnd(Origin origin, RemoteContext context) {
    RemoteDescription.describe(origin, context, file, 1);
    ended.add(context);
  }

  @Override
  public void onNote(Origin origin, String words) {
    notes.add(words);
  }

  /** A program under the agent; its standard error is this one's. */
  Process start(Path agent, Path program, Path library, List<String> words) throws IOException {
    return start(agent, program, library, words, ProcessBuilder.Redirect.PIPE);
  }

  /** The same with its output somewhere else. */
  Process start(
      Path agent, Path program, Path library, List<String> words, ProcessBuilder.Redirect output)
      throws IOException {
    var command = new ArrayList<String>();
    command.add(program.toString());
    command.addAll(words);
    var builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.environment().putAll(environment);
    builder.environment().put("DRIVER_BACKENDS", library.getParent().toAbsolutePath().toString());
    builder.environment().put("GGML_NO_BACKTRACE", "1");
    attachment.into(builder.environment(), agent.toAbsolutePath().toString());
    builder.redirectOutput(output);
    return builder.start();
  }

  /** The driver by itself. */
  static Process alone(Path program, Path library, List<String> words) throws IOException {
    var command = new ArrayList<String>();
    command.add(program.toString());
    command.addAll(words);
    var builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.environment().put("DRIVER_BACKENDS", library.getParent().toAbsolutePath().toString());
    return builder.start();
  }

  static String output(Process process) throws IOException {
    return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
  }

  @Override
  public void close() {
    attachment.close();
  }

  /** Every row of attention, in order. */
  static final class RowBook implements TraceListener {
    record Row(int layer, int head, int sequence, int query, int firstKey, float[] weights) {}

    final List<Row> rows = Collections.synchronizedList(new ArrayList<>());

    @Override
    public void onAttentionRow(AttentionRow row) {
      rows.add(
          new Row(
              row.layer(),
              row.head(),
              row.sequence(),
              row.query(),
              row.key(0),
              Arrays.copyOf(row.weights(), row.size())));
    }
  }
}
