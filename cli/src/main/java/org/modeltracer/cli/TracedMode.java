package org.modeltracer.cli;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.graph.FoundSite;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.heads.AttentionTrace;
import org.modeltracer.lens.LensOptions;
import org.modeltracer.lens.LensTrace;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.SilentCallback;
import org.modeltracer.model.Site;
import org.modeltracer.probe.NodeValues;
import org.modeltracer.session.SessionListener;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** What observes a model in a measurement, beside the one that nothing does. */
enum TracedMode {
  IDLE("idle"),
  LIGHTWEIGHT("lightweight"),
  C_CALLBACK("c-callback"),
  FULL("full"),
  LENS("lens"),
  EVERY_NODE("every-node");

  private final String id;

  TracedMode(String id) {
    this.id = id;
  }

  @Override
  public String toString() {
    return id;
  }

  Contender contender(LoadedModel loaded, ContextOptions options) {
    LlamaModel llama = loaded.model();
    return switch (this) {
      case IDLE -> new Contender(id, llama, options, TracerConfig.disabled(), null);
      case LIGHTWEIGHT -> new Contender(id, llama, options, TracerConfig.lightweight(), null);
      case C_CALLBACK -> new Contender("C callback", llama, options, silent(llama, options));
      case FULL -> new Contender(id, llama, options, TracerConfig.full(), attention(loaded));
      case LENS -> new Contender("full, lens", llama, options, TracerConfig.full(), lens(loaded));
      case EVERY_NODE ->
          new Contender("every node", llama, options, TracerConfig.disabled(), everyNode());
    };
  }

  /** Those that can be measured here. */
  static EnumSet<TracedMode> possible() {
    var all = EnumSet.allOf(TracedMode.class);
    if (!SilentCallback.isBuilt()) {
      all.remove(C_CALLBACK);
    }
    return all;
  }

  /** Has the nodes shown that a full trace reads. */
  private static SilentCallback silent(LlamaModel model, ContextOptions options) {
    SessionOptions opened = SessionOptions.defaults().withContext(options);
    var read = EnumSet.of(Site.CONTEXT, Site.VALUE);
    read.addAll(opened.sites(TracerConfig.full()));
    var tracer = ModelTracer.quiet(TracerConfig.disabled());
    try (var session = TracedSession.open(model, opened, tracer)) {
      return new SilentCallback(
          session.sites().stream()
              .filter(site -> read.contains(site.place().site()))
              .map(FoundSite::tensor)
              .toList());
    }
  }

  /** All streaming analyses that {@code attention.json} needs; the pictures of a run are not. */
  private static Contender.Attachment attention(LoadedModel loaded) {
    return (session, tracer) -> {
      var trace =
          new AttentionTrace(
              loaded.model(),
              loaded.file(),
              AttentionOptions.defaults(),
              TracedRun.SECONDS_OF_MULTIPLICATIONS);
      trace.attach(tracer, session);
      return new Contender.Watcher() {
        @Override
        public void begin(int[] tokens) {
          trace.begin(tokens);
        }

        @Override
        public void close() {
          // The session's end is the trace's.
        }
      };
    };
  }

  private static Contender.Attachment lens(LoadedModel loaded) {
    return (session, tracer) -> {
      Contender.Watcher attention = attention(loaded).to(session, tracer);
      LensTrace lens =
          LensTrace.attach(
              session,
              new LensOptions(false, tracer.config().logitTopK(), List.of()),
              reading -> reading.traces().forEach(tracer::recordLogitEvolution));
      return new Contender.Watcher() {
        @Override
        public void begin(int[] tokens) {
          attention.begin(tokens);
          lens.begin(tokens);
        }

        @Override
        public void close() {
          lens.close();
          attention.close();
        }
      };
    };
  }

  /** Takes all nodes of a graph, as an export of everything does. */
  private static Contender.Attachment everyNode() {
    return (session, tracer) -> {
      Set<String> all = session.nodes().stream().map(NodeInfo::key).collect(Collectors.toSet());
      var listening =
          session.listen(
              new SessionListener() {
                @Override
                public Set<String> nodes() {
                  return all;
                }

                @Override
                public void onNode(NodeValues values) {
                  // What is measured is how they come here.
                }
              });
      return new Contender.Watcher() {
        @Override
        public void begin(int[] tokens) {
          // No text differs from another.
        }

        @Override
        public void close() {
          listening.close();
        }
      };
    };
  }
}
