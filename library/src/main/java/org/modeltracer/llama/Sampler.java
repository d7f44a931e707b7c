package org.modeltracer.llama;

import org.modeltracer.llama.ffi.LlamaFunctions;

/** llama.cpp's own samplers, and its grammar where there is one. */
public final class Sampler implements AutoCloseable {
  /** Instead of a token, when the grammar allows none. */
  public static final int NONE = -1;

  private final LlamaRuntime runtime;
  private final LlamaFunctions llama;
  private long chain;
  private long penalties;

  /** Tokens that penalties look back at. */
  private int window;

  private long grammar;
  private final Candidates candidates;

  /**
   * Samplers for a model.
   *
   * @throws LlamaException when llama.cpp refuses the grammar
   */
  public Sampler(LlamaModel model, SamplerOptions options) {
    runtime = model.runtime();
    llama = runtime.functions();
    candidates = new Candidates(model.vocabulary().size());
    runtime.run(
        () -> {
          String rules = options.grammar();
          if (rules != null) {
            grammar = grammar(model, rules);
          }
          chain = llama.samplerChain();
          fill(options, model.vocabulary().size());
        });
  }

  private long grammar(LlamaModel model, String rules) {
    if (!model.vocabulary().usable()) {
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT, "a grammar is about text: this model has no vocabulary");
    }
    runtime.log().clear();
    long sampler = llama.grammarSampler(llama.vocabulary(model.address()), rules, "root");
    if (sampler == 0 || unread(sampler)) {
      if (sampler != 0) {
        llama.freeSampler(sampler);
      }
      candidates.close();
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT,
          "llama.cpp cannot read the grammar: "
              + runtime.log().firstError("is there a rule 'root', and no left recursion?"));
    }
    return sampler;
  }

  /**
   * Whether an older release has made a sampler without a grammar, as those do of rules that they
   * cannot read: it excludes nothing, not even at the beginning.
   */
  private boolean unread(long sampler) {
    if (llama.hasMemoryObject()) {
      return false;
    }
    candidates.alike();
    llama.applySampler(sampler, candidates.array());
    return !candidates.anyExcluded();
  }

  private void fill(SamplerOptions options, int vocabulary) {
    SamplerOptions.Penalties given = options.penalties();
    if (!given.none()) {
      window = given.last() < 0 ? Integer.MAX_VALUE : given.last();
      penalties =
          llama.penaltySampler(
              vocabulary, given.last(), given.repeat(), given.frequency(), given.presence());
      llama.addSampler(chain, penalties);
    }
    if (options.isGreedy()) {
      llama.addSampler(chain, llama.greedySampler());
      return;
    }
    if (options.topK() > 0) {
      llama.addSampler(chain, llama.topKSampler(options.topK()));
    }
    if (options.topP() < 1) {
      llama.addSampler(chain, llama.topPSampler(options.topP()));
    }
    if (options.minP() > 0) {
      llama.addSampler(chain, llama.minPSampler(options.minP()));
    }
    llama.addSampler(chain, llama.temperatureSampler(options.temperature()));
    llama.addSampler(chain, llama.seededSampler(options.seed()));
  }

  /** Begins a text after a prompt, whose tokens count as repeated; the grammar begins anew. */
  public void begin(int[] prompt) {
    runtime.run(
        () -> {
          open();
          if (grammar != 0) {
            llama.resetSampler(grammar);
          }
          if (penalties != 0) {
            llama.resetSampler(penalties);
            // Those before would be forgotten again.
            for (int i = Math.max(0, prompt.length - window); i < prompt.length; i++) {
              llama.acceptToken(penalties, prompt[i]);
            }
          }
        });
  }

  /** Chooses a token from the logits of the batch's i-th token; {@link #NONE} where none may be. */
  public int sample(LlamaContext context, int i) {
    context.logits(i);
    return runtime.call(
        () -> {
          open();
          return grammar == 0 ? llama.sample(chain, context.address(), i) : allowed(context, i);
        });
  }

  /**
   * As llama.cpp's programs do: chosen freely, and where the grammar does not allow that token,
   * chosen again among those that it does.
   */
  private int allowed(LlamaContext context, int i) {
    candidates.all(context.logits(i));
    llama.applySampler(chain, candidates.array());
    int free = candidates.selected();
    candidates.only(free);
    llama.applySampler(grammar, candidates.array());
    int token = free;
    if (candidates.excluded()) {
      candidates.all(context.logits(i));
      llama.applySampler(grammar, candidates.array());
      if (candidates.excluded()) {
        return NONE;
      }
      llama.applySampler(chain, candidates.array());
      token = candidates.selected();
    }
    llama.acceptToken(chain, token);
    llama.acceptToken(grammar, token);
    return token;
  }

  private void open() {
    if (chain == 0) {
      throw new IllegalStateException("this sampler is closed");
    }
  }

  /** Frees the samplers. */
  @Override
  public void close() {
    runtime.run(
        () -> {
          if (chain != 0) {
            llama.freeSampler(chain);
            chain = 0;
            if (grammar != 0) {
              llama.freeSampler(grammar);
            }
            candidates.close();
          }
        });
  }
}
