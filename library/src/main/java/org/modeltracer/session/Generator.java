package org.modeltracer.session;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.cache.CellMap;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.Sampler;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.session.Generation.Finish;
import org.modeltracer.session.Generation.Token;
import org.modeltracer.trace.ModelTracer;

/** One text that a session continues, token by token, until something ends it. */
final class Generator {
  /** Cells that a shift leaves for what is not kept, as in llama-server. */
  private static final int LEAST_LEFT = 4;

  private final LlamaContext context;
  private final ModelTracer tracer;
  private final TracedCache cache;
  private final PassRunner passes;
  private final Listeners listeners;
  private final CachePolicy policy;
  private final Predicate<Token> onToken;
  private final Vocabulary vocabulary;
  private final List<Token> tokens = new ArrayList<>();
  private final int keep;
  private int position;
  private int shifts;

  /** A generation after a prompt, which is not computed yet. */
  Generator(
      LlamaContext context,
      ModelTracer tracer,
      TracedCache cache,
      PassRunner passes,
      Listeners listeners,
      CachePolicy policy,
      int[] prompt,
      Predicate<Token> onToken) {
    this.context = context;
    this.tracer = tracer;
    this.cache = cache;
    this.passes = passes;
    this.listeners = listeners;
    this.policy = policy;
    this.onToken = onToken;
    vocabulary = context.model().vocabulary();
    int begin = prompt[0] == vocabulary.bos() ? 1 : 0;
    int kept = policy.keep() < 0 ? prompt.length : Math.min(prompt.length, policy.keep() + begin);
    keep = Math.max(0, Math.min(kept, context.sequenceTokens() - LEAST_LEFT));
    position = prompt.length;
  }

  /** Goes on from the prompt's last token, after which {@code first} was chosen. */
  Finish run(int first, int most) {
    int next = first;
    for (int step = 0; step < most; step++) {
      if (next == Sampler.NONE || vocabulary.endsGeneration(next)) {
        return Finish.END_OF_TEXT;
      }
      boolean last = step + 1 == most;
      if (!last && (position + 1 >= context.sequenceTokens() || !cache.hasRoom())) {
        shift();
      }
      var token = new Token(next, position, vocabulary.piece(next, false));
      tokens.add(token);
      tracer.recordToken(step, next, token.bytes());
      listeners.token(token);
      if (!onToken.test(token)) {
        return Finish.STOPPED;
      }
      if (last) {
        break;
      }
      if (position >= context.sequenceTokens() || !cache.hasRoom()) {
        exhausted();
        return Finish.CONTEXT;
      }
      context.batch().clear().add(next, position, 0, true);
      position++;
      next = passes.run(context.batch(), true);
    }
    return Finish.LENGTH;
  }

  /** Drops half of the tokens that are not kept, if that is wanted. */
  private void shift() {
    int discarded = (position - keep) / 2;
    if (!policy.shift() || discarded < 1) {
      return;
    }
    if (!cache.remove(0, keep, keep + discarded)) {
      throw new LlamaException(
          LlamaException.Kind.DECODE, "this model's memory cannot forget part of a text");
    }
    cache.shift(0, keep + discarded, CellMap.END, -discarded);
    position -= discarded;
    shifts++;
  }

  /** Every cell may be in use, which has been reported then, or those of this sequence alone. */
  private void exhausted() {
    if (tracer.config().kvCache() && !cache.isFull()) {
      String message =
          "the window of %d tokens is full: no room after position %d"
              .formatted(context.sequenceTokens(), position - 1);
      tracer.report(Anomaly.of(AnomalyKind.KV_EXHAUSTED, message).position(position - 1).build());
    }
  }

  Generation result(
      int prompt, int reused, Finish finish, double promptSeconds, double generationSeconds) {
    var text = new ByteArrayOutputStream();
    tokens.forEach(t -> text.writeBytes(t.bytes()));
    return new Generation(
        prompt,
        reused,
        List.copyOf(tokens),
        text.toString(StandardCharsets.UTF_8),
        finish,
        shifts,
        promptSeconds,
        generationSeconds);
  }
}
