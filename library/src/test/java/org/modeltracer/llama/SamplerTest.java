package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.llama.SamplerOptions.Penalties;
import org.modeltracer.testing.Golden;

class SamplerTest {
  private static final String RUNTIMES = "org.modeltracer.llama.Runtimes#all";
  private static final Golden GOLDEN = Golden.load("tinyllama-mha", "short");

  private static List<Integer> generate(LlamaContext context, SamplerOptions options, int tokens) {
    context.cache().clear();
    Passes.decode(context, GOLDEN.ids(), 0);
    int index = GOLDEN.ids().length - 1;
    var chosen = new ArrayList<Integer>();
    try (var sampler = new Sampler(context.model(), options)) {
      for (int i = 0; i < tokens; i++) {
        int token = sampler.sample(context, index);
        chosen.add(token);
        int position = GOLDEN.ids().length + i;
        context.decode(context.batch().clear().add(token, position, 0, true));
        index = 0;
      }
    }
    return chosen;
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void greedyIsTheArgmaxAndTopOneIsGreedy(LlamaRuntime runtime) {
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext context = model.context(Passes.EXACT)) {
      List<Integer> greedy = generate(context, SamplerOptions.greedy(), 40);
      context.cache().clear();
      var argmax = new ArrayList<Integer>();
      float[] row = Passes.decode(context, GOLDEN.ids(), 0)[GOLDEN.ids().length - 1];
      for (int i = 0; i < 40; i++) {
        argmax.add(Passes.argmax(row));
        row = Passes.decode(context, new int[] {argmax.getLast()}, GOLDEN.ids().length + i)[0];
      }
      assertThat(greedy).isEqualTo(argmax);
      assertThat(generate(context, new SamplerOptions(1.5f, 1, 1, 99), 40)).isEqualTo(greedy);
      assertThat(generate(context, new SamplerOptions(1.5f, 0, 1e-6f, 99), 40)).isEqualTo(greedy);
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aSeedDecides(LlamaRuntime runtime) {
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext context = model.context(Passes.EXACT)) {
      var options = new SamplerOptions(1, 40, 0.95f, 42);
      List<Integer> first = generate(context, options, 40);
      assertThat(generate(context, options, 40)).isEqualTo(first);
      assertThat(generate(context, new SamplerOptions(1, 40, 0.95f, 43), 40)).isNotEqualTo(first);
    }
  }

  /** Frequencies of many draws against the softmax of the logits. */
  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void drawsFollowTheSoftmaxOfTheKeptCandidates(LlamaRuntime runtime) {
    int draws = 4000;
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext context = model.context(Passes.EXACT);
        var sampler = new Sampler(model, new SamplerOptions(2, 5, 1, 7))) {
      Passes.decode(context, GOLDEN.ids(), 0);
      float[] row = context.logits(21).toArray(ValueLayout.JAVA_FLOAT);
      int[] counts = new int[row.length];
      var seen = new HashSet<Integer>();
      for (int i = 0; i < draws; i++) {
        int token = sampler.sample(context, 21);
        counts[token]++;
        seen.add(token);
      }
      float[] sorted = row.clone();
      Arrays.sort(sorted);
      double total = 0;
      for (int k = 1; k <= 5; k++) {
        total += Math.exp(sorted[row.length - k] / 2);
      }
      assertThat(seen).hasSizeLessThanOrEqualTo(5);
      for (int token : seen) {
        double p = Math.exp(row[token] / 2) / total;
        double sigma = Math.sqrt(draws * p * (1 - p));
        assertThat(row[token]).isGreaterThanOrEqualTo(sorted[row.length - 5]);
        assertThat((double) counts[token]).isBetween(draws * p - 5 * sigma, draws * p + 5 * sigma);
      }
    }
  }

  /** The chosen token against llama.cpp's documented formula, token by token. */
  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void penaltiesAreTakenOffTheScores(LlamaRuntime runtime) {
    int[] ids = GOLDEN.ids();
    for (var penalties :
        List.of(
            new Penalties(64, 3, 0, 0),
            new Penalties(8, 1, 2.5f, 1.5f),
            new Penalties(64, 2, 1, 4))) {
      try (LlamaModel model = runtime.open(GOLDEN.file());
          LlamaContext context = model.context(Passes.EXACT);
          var sampler = new Sampler(model, SamplerOptions.greedy().withPenalties(penalties))) {
        float[] row = Passes.decode(context, ids, 0)[ids.length - 1];
        var before = new ArrayList<Integer>();
        Arrays.stream(ids).forEach(before::add);
        sampler.begin(ids);
        var chosen = new HashSet<Integer>();
        for (int i = 0; i < 12; i++) {
          int wanted = Passes.argmax(penalized(row, before, penalties));
          assertThat(sampler.sample(context, ids.length - 1))
              .as(penalties + " " + i)
              .isEqualTo(wanted);
          before.add(wanted);
          chosen.add(wanted);
        }
        assertThat(chosen).as("penalties change the choice").hasSizeGreaterThan(1);
        sampler.begin(ids);
        before.subList(ids.length, before.size()).clear();
        assertThat(sampler.sample(context, ids.length - 1))
            .as("forgotten with a new text")
            .isEqualTo(Passes.argmax(penalized(row, before, penalties)));
      }
    }
  }

  private static float[] penalized(float[] row, List<Integer> before, Penalties penalties) {
    float[] scores = row.clone();
    List<Integer> last =
        before.subList(Math.max(0, before.size() - penalties.last()), before.size());
    for (int token : new HashSet<>(last)) {
      long count = last.stream().filter(t -> t == token).count();
      scores[token] =
          scores[token] <= 0
              ? scores[token] * penalties.repeat()
              : scores[token] / penalties.repeat();
      scores[token] -= count * penalties.frequency() + penalties.presence();
    }
    return scores;
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void minPKeepsWhatIsProbableEnough(LlamaRuntime runtime) {
    float share = 0.2f;
    var options = new SamplerOptions(3, 0, 1, 5).withMinP(share);
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext context = model.context(Passes.EXACT);
        var sampler = new Sampler(model, options)) {
      Passes.decode(context, GOLDEN.ids(), 0);
      float[] row = context.logits(3).toArray(ValueLayout.JAVA_FLOAT);
      float least = row[Passes.argmax(row)] + (float) Math.log(share);
      var kept = new HashSet<Integer>();
      for (int token = 0; token < row.length; token++) {
        if (row[token] >= least) {
          kept.add(token);
        }
      }
      var seen = new HashSet<Integer>();
      for (int i = 0; i < 600; i++) {
        seen.add(sampler.sample(context, 3));
      }
      assertThat(kept).hasSizeGreaterThan(1);
      assertThat(seen).isEqualTo(kept);
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aGrammarIsFollowedToItsEnd(LlamaRuntime runtime) {
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext context = model.context(Passes.EXACT)) {
      for (SamplerOptions options :
          List.of(SamplerOptions.greedy(), new SamplerOptions(5, 0, 1, 11))) {
        SamplerOptions ruled = options.withGrammar("root ::= [0-9] [0-9]? \"-\" [xyz]+ \"!\"");
        Passes.fresh(context, GOLDEN.ids());
        for (int text = 0; text < 2; text++) {
          var bytes = new ByteArrayOutputStream();
          int token = 0;
          try (var sampler = new Sampler(model, ruled)) {
            sampler.begin(GOLDEN.ids());
            for (int i = 0; i < 200; i++) {
              token = sampler.sample(context, 21);
              if (token == Sampler.NONE || model.vocabulary().endsGeneration(token)) {
                break;
              }
              bytes.writeBytes(model.vocabulary().piece(token, true));
            }
          }
          String said = bytes.toString(StandardCharsets.UTF_8);
          boolean ended = token == Sampler.NONE || model.vocabulary().endsGeneration(token);
          // The same scores each time may choose x for ever, which the rules allow.
          assertThat(said).matches(ended ? "[0-9]{1,2}-[xyz]+!" : "[0-9]{1,2}-[xyz]+");
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aGrammarThatLlamaCannotReadIsRefused(LlamaRuntime runtime) {
    try (LlamaModel model = runtime.open(GOLDEN.file())) {
      for (String rules : List.of("root ::= [0-9", "other ::= \"x\"", "root ::= root \"x\"")) {
        assertThatThrownBy(
                () -> new Sampler(model, SamplerOptions.greedy().withGrammar(rules)).close())
            .as(rules)
            .isInstanceOf(LlamaException.class)
            .hasMessageStartingWith("llama.cpp cannot read the grammar: ");
      }
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void thereMustBeLogitsAndAnOpenSampler(LlamaRuntime runtime) {
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext context = model.context(Passes.EXACT)) {
      var sampler = new Sampler(model, SamplerOptions.greedy());
      assertThatThrownBy(() -> sampler.sample(context, 0))
          .isInstanceOf(LlamaException.class)
          .hasMessage("no logits at index 0 of the last batch");
      Passes.decode(context, GOLDEN.ids(), 0);
      assertThatThrownBy(() -> sampler.sample(context, 22))
          .isInstanceOf(LlamaException.class)
          .hasMessage("no logits at index 22 of the last batch");
      sampler.close();
      sampler.close();
      assertThatThrownBy(() -> sampler.sample(context, 0))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("this sampler is closed");
    }
  }
}
