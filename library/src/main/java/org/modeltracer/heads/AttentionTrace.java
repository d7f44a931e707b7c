package org.modeltracer.heads;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.AttentionCollector;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.attention.TokenKind;
import org.modeltracer.attention.TokenTrack;
import org.modeltracer.attention.report.AnalysisContext;
import org.modeltracer.attention.report.AttentionAnalysis;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.graph.FoundSite;
import org.modeltracer.kernels.Kernels;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.ModelShape;
import org.modeltracer.model.Place;
import org.modeltracer.model.ResidualChange;
import org.modeltracer.model.Site;
import org.modeltracer.session.SessionListener;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TraceListener;

/**
 * An attention analysis of a session: feeds an {@link AttentionCollector} with all that one model
 * at work shows, tokens with their texts, rows, head outputs, value norms, the residual stream.
 *
 * <p>What a head writes is its mixed value times its slice of the output matrix; what it could move
 * from a position is that position's value times the same (Kobayashi et al. 2020). The bias of the
 * values is part of both, the bias of the output matrix, which no head owns, of neither.
 */
public final class AttentionTrace implements TraceListener, SessionListener {
  private static final Set<Site> ROWS = Set.of(Site.CONTEXT, Site.VALUE);

  private final Vocabulary vocabulary;
  private final HeadLayout layout;
  private final ModelShape shape;
  private final OutputFactors factors;
  private final AttentionCollector collector;
  private final ValueNormTable norms;
  private AnalysisContext context = AnalysisContext.defaults();
  private final Map<Integer, Text> texts = new TreeMap<>();
  private final WaitingTokens waiting = new WaitingTokens();
  private float[] slices = {};
  private float[] written = {};
  private long next;
  private boolean separately;
  private @Nullable AttentionAnalysis analysis;

  /** What a sequence reads and says. */
  private static final class Text {
    private TokenTrack tokens = new TokenTrack();
    private long number;
    private boolean pending;
    private boolean moved;
  }

  /**
   * Prepares an analysis of a loaded model.
   *
   * @param largest multiplications, at most, that reading the output matrices may take; beyond them
   *     head outputs are mixed values, and what is norm-weighted is absent
   */
  public AttentionTrace(LlamaModel model, GgufFile file, AttentionOptions options, double largest) {
    this(model, model.layers(), file, options, largest);
  }

  /**
   * Prepares an analysis of a model at work elsewhere.
   *
   * @param model the model, of which nothing but its vocabulary need be loaded
   * @param layers how many it has
   * @param largest multiplications, at most, that reading the output matrices may take
   */
  public AttentionTrace(
      LlamaModel model, int layers, GgufFile file, AttentionOptions options, double largest) {
    vocabulary = model.vocabulary();
    layout = new HeadLayout(file);
    shape = layout.shape(layers, vocabulary.size());
    collector = new AttentionCollector(shape, options);
    norms = new ValueNormTable(shape.layers(), shape.heads());
    var costs = new TensorCosts(layout);
    if (costs.known()) {
      context = context.withCosts(costs);
    } else {
      absent(
          "head_specialization.redundancy_analysis.pruning_recommendations",
          "the file names no attention output matrix, so what a head costs is not known");
    }
    double work = OutputFactors.work(layout);
    boolean adapted = !model.options().adapters().isEmpty();
    factors =
        work > largest || adapted
            ? OutputFactors.none()
            : OutputFactors.read(layout, file, model.runtime());
    if (factors.isEmpty()) {
      absent(
          "measures.norm_weighted",
          adapted
              ? "an adapter changes the output matrices, of which the file has the unchanged ones"
              : work > largest
                  ? "reading the output matrices takes %.0f billion multiplications first; the"
                          .formatted(work / 1e9)
                      + " attention command does it"
                  : "the file has no attention output matrix of a known layout");
    } else {
      collector.valueNorms(norms);
    }
  }

  /** Listens to everything that a tracer and its session see from now on. */
  public AttentionTrace attach(ModelTracer tracer, TracedSession session) {
    tracer.addListener(this);
    session.listen(this);
    return shown(session.sites());
  }

  /** Notes what cannot be computed of the places that a graph shows. */
  public AttentionTrace shown(List<FoundSite> sites) {
    if (sites.stream().noneMatch(site -> site.place().site() == Site.VALUE)) {
      absent("measures.norm_weighted", "the graph has no values of single tokens");
    }
    return this;
  }

  /** Heads of all layers together. */
  public long heads() {
    return shape.layers() * Math.max(1L, shape.heads());
  }

  /** Notes that only some layers or heads are traced. */
  public void partly() {
    absent("rollout.whole", "rollout and flow go through the traced layers and heads only");
  }

  /** What collects for the analysis. */
  public AttentionCollector collector() {
    return collector;
  }

  /** Notes that something cannot be computed, by field name of the analysis, and why. */
  public void absent(String field, String reason) {
    context = context.withAbsent(field, reason);
    analysis = null;
  }

  /** Adds what another trace of the same model has seen. */
  public void merge(AttentionTrace other) {
    collector.merge(other.collector);
    analysis = null;
  }

  /** A prompt is about to run in sequence 0; what is generated becomes part of it. */
  public void begin(int[] prompt) {
    begin(next, prompt);
  }

  /**
   * A prompt is about to run in sequence 0; what is generated becomes part of it.
   *
   * @param prompt its number, which no other prompt has, also not one merged later
   * @param ids its tokens
   */
  public void begin(long prompt, int[] ids) {
    Text text = begun(0, prompt, ids);
    text.pending = true;
  }

  /**
   * A text has begun in a sequence; tokens that follow are told by {@link #append} from here on.
   *
   * @param reused how many of its tokens the cache held already
   * @param ids its tokens so far; negative where they are not known
   */
  public void begin(int sequence, int reused, int[] ids) {
    separately = true;
    Text text = begun(sequence, next, ids);
    collector.beginPrompt(sequence, text.number, text.tokens, text.moved ? 0 : reused);
    text.moved = false;
    analysis = null;
  }

  private Text begun(int sequence, long number, int[] ids) {
    Text text = texts.computeIfAbsent(sequence, s -> new Text());
    text.number = number;
    text.pending = false;
    text.tokens = new TokenTrack();
    next = number + 1;
    for (int token : ids) {
      append(text, token, known(token) ? vocabulary.text(token) : "");
    }
    return text;
  }

  private boolean known(int token) {
    return token >= 0 && token < vocabulary.size();
  }

  /** A token follows in the text of a sequence. */
  public void append(int sequence, int token, String text) {
    Text known = texts.get(sequence);
    if (known != null) {
      append(known, token, text);
    }
  }

  private void append(Text to, int token, String text) {
    // A part of a character is neither punctuation nor space.
    boolean part = text.indexOf('\uFFFD') >= 0;
    TokenKind kind = TokenKind.of(text, known(token) && vocabulary.isControl(token));
    to.tokens.append(token, text, part && kind == TokenKind.STRUCTURAL ? TokenKind.CONTENT : kind);
  }

  @Override
  public void onForward(int forward, int firstPosition, int count) {
    texts.forEach(
        (sequence, text) -> {
          if (text.pending) {
            // What was moved into place was computed in sight of other tokens: nothing to go on
            // from.
            collector.beginPrompt(
                sequence, text.number, text.tokens, text.moved ? 0 : firstPosition);
            text.pending = false;
            text.moved = false;
          }
        });
    analysis = null;
    waiting.clear();
    collector.onForward(forward, firstPosition, count);
  }

  @Override
  public boolean inLanes() {
    return collector.inLanes();
  }

  @Override
  public void onAttentionLayer(int layer) {
    workOff();
    collector.onAttentionLayer(layer);
  }

  @Override
  public void onAttentionRow(AttentionRow row) {
    workOff();
    collector.onAttentionRow(row);
  }

  @Override
  public void onResidual(int layer, ResidualChange change) {
    collector.onResidual(layer, change);
  }

  @Override
  public void onToken(int step, int token, byte[] piece) {
    if (!separately) {
      append(0, token, new String(piece, StandardCharsets.UTF_8));
    }
  }

  /** After a move in the middle of a text, what is left of it goes on as a text of its own. */
  @Override
  public void onShift(int sequence, int from, int to, int delta) {
    norms.shift(sequence, from, to, delta);
    Text text = texts.get(sequence);
    if (text == null) {
      return;
    }
    text.moved = true;
    if (!text.pending) {
      TokenTrack before = text.tokens;
      text.tokens = new TokenTrack();
      text.number = next++;
      for (int p = 0; p < before.size(); p++) {
        if (p < from + delta || p >= from) {
          append(text, before.id(p), before.text(p));
        }
      }
      text.pending = true;
    }
  }

  @Override
  public void onForwardEnd(int forward) {
    workOff();
    collector.onForwardEnd(forward);
    analysis = null;
  }

  @Override
  public Set<Site> rows() {
    return ROWS;
  }

  @Override
  public void onRow(
      Place place, int sequence, int position, MemorySegment values, long offset, int width) {
    if (layout.heads(place.layer()) == 0) {
      return;
    }
    if (!waiting.accepts(place, width)) {
      workOff();
    }
    waiting.add(place, sequence, position, values, offset, width);
  }

  /** Works on the vectors that wait, before somebody needs what comes of them. */
  private void workOff() {
    Place place = waiting.place();
    if (place == null) {
      return;
    }
    OutputFactor factor = factors.of(place.layer());
    if (place.site() == Site.CONTEXT) {
      outputs(place.layer(), factor);
    } else if (factor != null
        && waiting.width() == layout.kvHeads(place.layer()) * factor.width()) {
      norms(place.layer(), factor);
    }
    waiting.clear();
  }

  private void norms(int layer, OutputFactor factor) {
    for (int h = 0; h < layout.heads(layer); h++) {
      slices(factor.width() * layout.kvHead(layer, h), factor.width());
      float[] made = written(factor, h);
      for (int i = 0; i < waiting.size(); i++) {
        double squares = Kernels.chosen().squares(made, i * factor.room(), factor.width());
        float norm = (float) Math.sqrt(squares);
        norms.put(waiting.sequence(i), layer, h, waiting.position(i), norm);
      }
    }
  }

  private void outputs(int layer, @Nullable OutputFactor factor) {
    int heads = layout.heads(layer);
    int each = waiting.width() / heads;
    if (waiting.width() % heads != 0) {
      return;
    }
    for (int h = 0; h < heads; h++) {
      float[] made = slices(each * h, each);
      int stride = each;
      if (factor != null && factor.width() == each) {
        made = written(factor, h);
        stride = factor.room();
      }
      for (int i = 0; i < waiting.size(); i++) {
        int position = waiting.position(i);
        collector.headOutput(waiting.sequence(i), layer, h, position, made, i * stride, each);
      }
    }
  }

  private float[] slices(int from, int length) {
    if (slices.length < waiting.size() * length) {
      slices = new float[waiting.size() * length];
    }
    waiting.slices(from, length, slices);
    return slices;
  }

  /** What a head makes of the slices, {@code [token, room of the factor]}. */
  private float[] written(OutputFactor factor, int head) {
    if (written.length < waiting.size() * factor.room()) {
      written = new float[waiting.size() * factor.room()];
    }
    factor.apply(head, slices, waiting.size(), written);
    return written;
  }

  /** The whole analysis of what has run so far; made once, until more runs. */
  public synchronized AttentionAnalysis analysis() {
    AttentionAnalysis known = analysis;
    if (known == null) {
      known = AttentionAnalysis.of(collector.collected(), context);
      analysis = known;
    }
    return known;
  }
}
