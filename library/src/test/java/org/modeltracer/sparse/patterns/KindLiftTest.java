package org.modeltracer.sparse.patterns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What heads give to kinds of tokens, of heads made to prefer one, and of such as cannot. */
class KindLiftTest {
  private static final int N = 300;

  /** A text of words in which some kinds come at random, and repeats grow more frequent. */
  private static KeyTokens text(long seed) {
    var random = new Random(seed);
    var kinds = new ArrayList<KeyKind>();
    var repeated = new ArrayList<Boolean>();
    for (int p = 0; p < N; p++) {
      double drawn = random.nextDouble();
      kinds.add(
          drawn < 0.15
              ? KeyKind.PUNCTUATION
              : drawn < 0.25 ? KeyKind.DIGIT : drawn < 0.6 ? KeyKind.WORD : KeyKind.CONTINUATION);
      repeated.add(random.nextInt(N) < p);
    }
    return new KeyTokens(kinds, repeated);
  }

  private static List<KindLift> lifts(KeyTokens tokens, float[][] matrix) {
    var trace = new PatternTrace(KeyCosts.unknown());
    trace.begin(tokens);
    Patterned.feed(trace, 0, 64, matrix);
    return trace.report(0).kinds().getFirst().tokens();
  }

  private static KindLift of(List<KindLift> lifts, KeyKind kind) {
    return lifts.stream().filter(l -> l.kind() == kind).findFirst().orElseThrow();
  }

  /** Shares and bases, added up key by key. */
  @Test
  void sharesAreThoseOfBruteForce() {
    KeyTokens tokens = text(1);
    float[][] matrix = Patterned.random(N, 7, 2);
    List<KindLift> lifts = lifts(tokens, matrix);
    double all = 0;
    double[] mass = new double[KeyKind.values().length];
    double[] even = new double[mass.length];
    for (int q = 31; q < N; q++) {
      double rest = 0;
      for (int k = 4; k <= q; k++) {
        rest += matrix[q][k];
      }
      all += rest;
      for (int k = 4; k <= q; k++) {
        mass[tokens.kinds().get(k).ordinal()] += matrix[q][k];
        even[tokens.kinds().get(k).ordinal()] += rest / (q - 3);
        if (tokens.repeated().get(k)) {
          mass[KeyKind.REPEATED.ordinal()] += matrix[q][k];
          even[KeyKind.REPEATED.ordinal()] += rest / (q - 3);
        }
      }
    }
    assertThat(lifts).hasSize(5);
    double sum = 0;
    for (KindLift lift : lifts) {
      assertThat(lift.share()).isCloseTo(mass[lift.kind().ordinal()] / all, within(1e-5));
      assertThat(lift.base()).isCloseTo(even[lift.kind().ordinal()] / all, within(1e-5));
      assertThat(lift.lift()).isCloseTo(lift.share() / lift.base(), within(1e-9));
      sum += lift.kind() == KeyKind.REPEATED ? 0 : lift.share();
    }
    assertThat(sum).isCloseTo(1, within(1e-9));
  }

  @Test
  void aHeadThatPrefersAKindIsFound() {
    KeyTokens tokens = text(2);
    // Three times the weight of others on each digit: 3 b / (1 + 2 b) of the mass.
    List<KindLift> lifts =
        lifts(tokens, Patterned.causal(N, (q, k) -> tokens.is(k, KeyKind.DIGIT) ? 3 : 1));
    KindLift digit = of(lifts, KeyKind.DIGIT);
    assertThat(digit.share()).isCloseTo(3 * digit.base() / (1 + 2 * digit.base()), within(0.005));
    assertThat(digit.lift()).isGreaterThan(2);
    assertThat(digit.chance()).isEqualTo(1 / 200.0);
    assertThat(of(lifts, KeyKind.WORD).lift()).isLessThan(1);
  }

  /**
   * A head that knows distances only follows what grows along a text, and that is no preference.
   */
  @Test
  void whatPlacesExplainIsNoPreference() {
    int alarms = 0;
    double lift = 0;
    for (int seed = 0; seed < 20; seed++) {
      List<KindLift> lifts =
          lifts(text(seed), Patterned.causal(N, (q, k) -> Math.exp((k - q) / 6.0)));
      KindLift repeated = of(lifts, KeyKind.REPEATED);
      lift += repeated.lift() / 20;
      alarms += lifts.stream().anyMatch(l -> l.chance() <= 0.01) ? 1 : 0;
    }
    assertThat(lift).isGreaterThan(1.2);
    assertThat(alarms).isLessThanOrEqualTo(3);
  }

  /** Chances of heads that prefer nothing are spread as chances are. */
  @Test
  void chanceIsCalibrated() {
    var chances = new ArrayList<Double>();
    for (int seed = 0; seed < 60; seed++) {
      lifts(text(seed), Patterned.random(120, 1000 + seed, 1.5))
          .forEach(lift -> chances.add(lift.chance()));
    }
    double below = chances.stream().filter(c -> c <= 0.1).count() / (double) chances.size();
    assertThat(below).isBetween(0.03, 0.2);
    assertThat(chances.stream().mapToDouble(c -> c).average().orElseThrow()).isBetween(0.4, 0.62);
  }

  @Test
  void headsAreAddedUp() {
    KeyTokens tokens = text(3);
    float[][] one = Patterned.causal(N, (q, k) -> tokens.is(k, KeyKind.DIGIT) ? 3 : 1);
    float[][] other = Patterned.causal(N, (q, k) -> 1);
    var trace = new PatternTrace(KeyCosts.unknown());
    trace.begin(tokens);
    Patterned.feed(trace, 0, 50, one, other);
    KindLift both = of(trace.report(0).kinds().getFirst().tokens(), KeyKind.DIGIT);
    double share =
        (of(lifts(tokens, one), KeyKind.DIGIT).share()
                + of(lifts(tokens, other), KeyKind.DIGIT).share())
            / 2;
    assertThat(both.share()).isCloseTo(share, within(0.002));
  }

  @Test
  void unknownTokensAreNoKinds() {
    var trace = new PatternTrace(KeyCosts.unknown());
    trace.begin(KeyTokens.unknown());
    Patterned.feed(trace, 0, 50, Patterned.random(100, 1, 1));
    PatternReport report = trace.report(0);
    assertThat(report.kinds().getFirst().tokens()).isEmpty();
    assertThat(report.absent()).containsKey("tokens");
  }
}
