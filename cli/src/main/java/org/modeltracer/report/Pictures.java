package org.modeltracer.report;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.PooledAttention;
import org.modeltracer.language.TokenDivergence;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.CutText;
import org.modeltracer.model.ResidualChange;
import org.modeltracer.session.Generation;
import org.modeltracer.session.SessionListener;
import org.modeltracer.session.TracedSession;
import org.modeltracer.sparse.SelectionMap;
import org.modeltracer.trace.LogitScan;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TopK;
import org.modeltracer.trace.TraceListener;

/**
 * What only pictures need of a run's first text: its tokens with what the model expected instead,
 * attention matrices, and the norms of every pass; in memory that does not grow without bound.
 *
 * <p>Fed by the thread that runs the model, and asked by any.
 */
public final class Pictures implements TraceListener, SessionListener {
  /** Bytes of all matrices in a page; beside them there is room for everything else in 5 MB. */
  static final long CELLS = 2_800_000;

  /** Tokens of a text that are listed, at most. */
  private static final int TOKENS = 4096;

  private static final int ALTERNATIVES = 5;

  /** What else might have come, with its probability. */
  record Alternative(int id, String text, double probability) {}

  /**
   * One token.
   *
   * @param generated whether the model chose it
   * @param probability that it had, null where its position was not scored
   * @param entropy of the distribution it was chosen from, in nats
   * @param referenceProbability that a reference gave it, null where none was asked
   * @param kl D(reference ‖ model) of the distributions it was chosen from, nats
   * @param alternatives the most likely tokens at its place
   */
  record Token(
      int position,
      int id,
      String text,
      boolean generated,
      @Nullable Double probability,
      @Nullable Double entropy,
      @Nullable Double referenceProbability,
      @Nullable Double kl,
      List<Alternative> alternatives) {

    private static Token of(int position, int id, String text, boolean generated) {
      return new Token(position, id, text, generated, null, null, null, null, List.of());
    }

    private Token compared(TokenDivergence with) {
      return new Token(
          position,
          id,
          text,
          generated,
          with.probability(),
          entropy,
          with.referenceProbability(),
          with.kl(),
          alternatives);
    }

    private Token expected(Prediction prediction) {
      return new Token(
          position,
          id,
          text,
          generated,
          prediction.chosen,
          prediction.entropy,
          referenceProbability,
          kl,
          prediction.alternatives);
    }
  }

  /** What was said of a position before its token was known. */
  private record Prediction(
      int position, @Nullable Double chosen, double entropy, List<Alternative> alternatives) {}

  /** All of it, as JSON has it. */
  record Picture(
      List<Token> tokens,
      long tokensLeftOut,
      PassNorms.Picture norms,
      @Nullable AttentionPicture attention,
      @Nullable SelectionPicture indexer) {}

  private final Vocabulary vocabulary;
  private final boolean scored;
  private final PooledAttention attention;
  private final PassNorms norms = new PassNorms();
  private final List<Token> tokens = new ArrayList<>();
  private final LogitScan scan = new LogitScan();
  private final TopK top = new TopK(ALTERNATIVES);
  private @Nullable Prediction next;
  private long leftOut;
  private int pass;
  private int texts;
  private int sequence;
  private boolean moved;

  /**
   * Pictures of what a model is about to do.
   *
   * @param scored whether what the model expected is kept, which reads all scores of each position
   */
  public Pictures(LlamaModel model, boolean scored) {
    this(model, (long) model.layers() * Math.max(1, model.heads()), scored);
  }

  /**
   * Pictures of what a model does elsewhere.
   *
   * @param model the model, of which nothing but its vocabulary need be loaded
   * @param heads how many heads its layers have together
   */
  public Pictures(LlamaModel model, long heads, boolean scored) {
    vocabulary = model.vocabulary();
    this.scored = scored;
    attention = new PooledAttention(heads, CELLS);
  }

  /** Sets the sequence whose text is drawn: 0 unless something else is said. */
  public synchronized void draw(int drawn) {
    sequence = drawn;
  }

  /** Listens to all that a tracer and its session see from now on. */
  public Pictures attach(ModelTracer tracer, TracedSession session) {
    tracer.addListener(this);
    session.listen(this);
    return this;
  }

  /** Whether what comes is of the first text, at the positions where its tokens stay. */
  private boolean first() {
    return texts == 1 && !moved;
  }

  @Override
  public synchronized void onBegin(List<Generation.Token> prompt) {
    texts++;
    if (first()) {
      prompt.forEach(token -> add(token, false));
    }
  }

  /** The prompt goes on, of which not all was known when it began. */
  public synchronized void onMore(List<Generation.Token> prompt) {
    if (first()) {
      prompt.forEach(token -> add(token, false));
    }
  }

  @Override
  public synchronized void onToken(Generation.Token token) {
    if (first()) {
      add(token, true);
    }
  }

  private void add(Generation.Token token, boolean generated) {
    if (tokens.size() >= TOKENS) {
      leftOut++;
      return;
    }
    var plain =
        Token.of(
            token.position(),
            token.id(),
            CutText.of(generated ? token.text() : vocabulary.text(token.id())),
            generated);
    Prediction before = next;
    tokens.add(
        before != null && before.position == token.position() ? plain.expected(before) : plain);
  }

  @Override
  public synchronized void onLogits(int of, int position, MemorySegment logits, int chosen) {
    if (!scored || of != sequence || !first() || tokens.size() >= TOKENS) {
      return;
    }
    int size = vocabulary.size();
    scan.scan(logits, 0, size, top);
    if (!scan.sound()) {
      next = null;
      return;
    }
    int known = index(position + 1);
    int token = known < 0 ? chosen : tokens.get(known).id();
    var prediction =
        new Prediction(
            position + 1,
            token >= 0 && token < size ? (Double) scan.probability(token) : null,
            scan.entropy(),
            alternatives());
    if (known < 0) {
      next = prediction;
    } else {
      tokens.set(known, tokens.get(known).expected(prediction));
    }
  }

  /** Where the token of a position is, -1 where it is not there. */
  private int index(int position) {
    int i = tokens.isEmpty() ? -1 : position - tokens.getFirst().position();
    return i >= 0 && i < tokens.size() && tokens.get(i).position() == position ? i : -1;
  }

  private List<Alternative> alternatives() {
    var likely = new ArrayList<Alternative>();
    for (int i = 0; i < top.size(); i++) {
      int id = top.index(i);
      likely.add(new Alternative(id, CutText.of(vocabulary.text(id)), scan.probability(id)));
    }
    return likely;
  }

  @Override
  public synchronized void onForwardEnd(int forward) {
    pass = forward + 1;
  }

  @Override
  public boolean inLanes() {
    return true;
  }

  @Override
  public synchronized void onAttentionRow(AttentionRow row) {
    if (row.sequence() == sequence && first()) {
      attention.row(row);
    }
  }

  @Override
  public synchronized void onResidual(int layer, ResidualChange change) {
    norms.add(pass, layer, change);
  }

  @Override
  public synchronized void onShift(int of, int from, int to, int delta) {
    moved |= of == sequence;
  }

  /** The attention matrices, to be read when nothing runs. */
  public PooledAttention attention() {
    return attention;
  }

  /** Puts what a reference predicted beside what this model did. */
  public synchronized void compare(List<TokenDivergence> predicted) {
    compare(tokens, predicted);
  }

  private static void compare(List<Token> tokens, List<TokenDivergence> predicted) {
    for (TokenDivergence each : predicted) {
      int i = tokens.isEmpty() ? -1 : (int) (each.position() - tokens.getFirst().position());
      if (i >= 0 && i < tokens.size()) {
        tokens.set(i, tokens.get(i).compared(each));
      }
    }
  }

  /** What was seen so far, as {@code pictures.json} has it behind its head. */
  public synchronized Record picture() {
    return picture(null);
  }

  /** The same with what indexers selected. */
  public synchronized Record picture(SelectionMap.@Nullable Picture selections) {
    return new Picture(
        List.copyOf(tokens),
        leftOut,
        norms.picture(),
        attention.heads().isEmpty() ? null : AttentionPicture.of(attention),
        selections == null || selections.layers().isEmpty()
            ? null
            : SelectionPicture.of(selections));
  }

  /** The same of a text that two models predicted, of whose runs nothing else is known. */
  public static Record of(Vocabulary vocabulary, int[] text, List<TokenDivergence> predicted) {
    var tokens = new ArrayList<Token>();
    for (int p = 0; p < Math.min(TOKENS, text.length); p++) {
      tokens.add(Token.of(p, text[p], CutText.of(vocabulary.text(text[p])), false));
    }
    compare(tokens, predicted);
    return new Picture(
        List.copyOf(tokens), text.length - tokens.size(), new PassNorms().picture(), null, null);
  }
}
