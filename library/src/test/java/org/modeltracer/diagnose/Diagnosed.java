package org.modeltracer.diagnose;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.ModelOptions;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** A model at work with its anomalies explained. */
final class Diagnosed implements AutoCloseable {
  final LlamaModel model;
  final ModelTracer tracer;
  final TracedSession session;
  final Diagnosis diagnosis;

  Diagnosed(LlamaRuntime runtime, Path file, TracerConfig config, SessionOptions options) {
    this(runtime, file, config, options, true);
  }

  /**
   * A model at work.
   *
   * @param packed whether llama.cpp may repack weights, and compute with kernels made for that
   */
  Diagnosed(
      LlamaRuntime runtime,
      Path file,
      TracerConfig config,
      SessionOptions options,
      boolean packed) {
    this(
        runtime,
        file,
        config,
        options,
        ModelOptions.defaults().withGpuLayers(0).withExtraBuffers(packed));
  }

  /** A model at work where it is put. */
  Diagnosed(
      LlamaRuntime runtime,
      Path file,
      TracerConfig config,
      SessionOptions options,
      ModelOptions where) {
    model = runtime.open(file, where);
    tracer = new ModelTracer(config);
    session = TracedSession.open(model, options, tracer);
    diagnosis = Diagnosis.attach(session, tracer, GgufFile.read(file));
  }

  static SessionOptions options(CacheType cache, FlashAttention attention) {
    return SessionOptions.defaults()
        .withContext(
            ContextOptions.defaults()
                .withContextTokens(256)
                .withCacheTypes(cache, cache)
                .withFlashAttention(attention));
  }

  /** Runs a prompt as one batch. */
  Diagnosed prompt(int... ids) {
    session.evaluate(ids, true);
    return this;
  }

  /** Runs a prompt as one batch a token. */
  Diagnosed steps(int... ids) {
    for (int i = 0; i < ids.length; i++) {
      int position = i;
      session.pass(batch -> batch.add(ids[position], position, 0, true));
    }
    return this;
  }

  /** Runs a prompt and then goes on token by token. */
  Diagnosed promptThenSteps(int split, int... ids) {
    session.evaluate(Arrays.copyOf(ids, split), false);
    for (int i = split; i < ids.length; i++) {
      int position = i;
      session.pass(batch -> batch.add(ids[position], position, 0, true));
    }
    return this;
  }

  List<Anomaly> critical() {
    return tracer.anomalies().stream().filter(a -> a.severity() == Severity.CRITICAL).toList();
  }

  /** The causes found, each once. */
  List<RootCause> causes() {
    return tracer.anomalies().stream()
        .map(Anomaly::rootCause)
        .filter(Objects::nonNull)
        .distinct()
        .toList();
  }

  /** The one cause that all critical anomalies have. */
  RootCause cause() {
    List<RootCause> causes = critical().stream().map(Anomaly::rootCause).distinct().toList();
    if (causes.size() != 1 || causes.getFirst() == null) {
      throw new AssertionError("one cause expected, not " + causes + " of " + critical());
    }
    return causes.getFirst();
  }

  @Override
  public void close() {
    diagnosis.close();
    session.close();
    tracer.close();
    model.close();
  }
}
