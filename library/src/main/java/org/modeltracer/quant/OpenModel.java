package org.modeltracer.quant;

import java.util.Set;
import java.util.function.Consumer;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.Device;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.ModelOptions.Placement;
import org.modeltracer.probe.NodeValues;
import org.modeltracer.session.SessionListener;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** A model ready to show its nodes while it reads a text. */
final class OpenModel implements AutoCloseable {
  private final LlamaModel model;
  private final ModelTracer tracer;
  private final TracedSession session;
  private final boolean offloads;

  OpenModel(LlamaRuntime runtime, Setup setup) {
    model = runtime.open(setup.model(), setup.engine().options());
    Placement placement = setup.engine().placement();
    offloads =
        !placement.rpcServers().isEmpty()
            || runtime.devices(placement).stream().anyMatch(Device::offloads);
    tracer = ModelTracer.quiet(TracerConfig.builder().attention(true).build());
    try {
      if (model.hasEncoder() && model.hasDecoder()) {
        throw new LlamaException(
            LlamaException.Kind.ARGUMENT,
            setup.model() + ": models with an encoder and a decoder are not compared");
      }
      ContextOptions context = setup.context();
      int together = context.size().microBatch();
      session =
          TracedSession.open(
              model,
              SessionOptions.defaults().withContext(context.withBatch(together, together)),
              tracer);
    } catch (RuntimeException e) {
      tracer.close();
      model.close();
      throw e;
    }
  }

  /**
   * Reads a text from its beginning; blocks until it is read.
   *
   * @param wanted keys of the nodes that are shown
   * @param show takes each of them as it is computed
   */
  void read(int[] tokens, Set<String> wanted, Consumer<NodeValues> show) {
    var listener =
        new SessionListener() {
          @Override
          public Set<String> nodes() {
            return wanted;
          }

          @Override
          public void onNode(NodeValues values) {
            show.accept(values);
          }
        };
    try (var _ = session.listen(listener)) {
      session.evaluate(tokens, true);
    }
  }

  /** Whether anything but a processor may compute here. */
  boolean offloads() {
    return offloads;
  }

  LlamaModel model() {
    return model;
  }

  TracedSession session() {
    return session;
  }

  @Override
  public void close() {
    session.close();
    tracer.close();
    model.close();
  }
}
