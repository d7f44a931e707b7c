package org.modeltracer.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.modeltracer.cli.Contender.Measurement;
import org.modeltracer.cli.terminal.Spread;

/**
 * Measurements of several contenders that take turns piece by piece, so that a change of the
 * machine's speed meets all of them.
 *
 * <p>A text is read in pieces, then token by token in bursts. Before the next piece or burst every
 * contender has read this one; each time another begins. A contender is compared with the first one
 * in the same piece. The first text, in which Java still compiles, counts for nothing.
 */
final class Contest {
  /** Tokens in a burst: so few that the machine stays as it is. */
  private static final int BURST = 4;

  /**
   * What became of one contender.
   *
   * @param mode its name
   * @param promptTokensPerSecond speed of the prompt's pieces
   * @param generationTokensPerSecond speed of generation, burst by burst
   * @param promptTimeRatio time of the prompt, that of the first contender being 1
   * @param generationTimeRatio time of generation, that of the first contender being 1
   * @param promptExtraMicroseconds what a token of the prompt takes longer than without tracing
   * @param generationExtraMicroseconds what a generated token takes longer
   * @param observedNodesPerToken nodes whose values were read for a generated token
   * @param observedBytesPerToken bytes reduced to statistics for a generated token
   * @param allocatedBytesPerToken bytes that Java allocated for a generated token
   */
  record Result(
      String mode,
      Spread promptTokensPerSecond,
      Spread generationTokensPerSecond,
      Interval promptTimeRatio,
      Interval generationTimeRatio,
      Spread promptExtraMicroseconds,
      Spread generationExtraMicroseconds,
      Spread observedNodesPerToken,
      Spread observedBytesPerToken,
      Spread allocatedBytesPerToken) {}

  /** One piece or burst, by contender. */
  private record Turn(int from, int to, Measurement[] by) {
    int tokens() {
      return to - from;
    }

    double extraMicroseconds(int who) {
      return 1e6 * (by[who].seconds() - by[0].seconds()) / tokens();
    }
  }

  private final List<Contender> contenders;
  private final int[] tokens;
  private final int prompt;
  private final int piece;
  private final List<Turn> pieces = new ArrayList<>();
  private final List<Turn> bursts = new ArrayList<>();
  private int turns;

  /**
   * A contest.
   *
   * @param tokens the text, of which the first {@code prompt} tokens are read in pieces
   */
  Contest(List<Contender> contenders, int[] tokens, int prompt, int piece) {
    this.contenders = contenders;
    this.tokens = tokens;
    this.prompt = prompt;
    this.piece = piece;
  }

  /** Reads the text once without counting. */
  void warmUp() {
    round();
    pieces.clear();
    bursts.clear();
  }

  /** Reads the text once. */
  void round() {
    contenders.forEach(contender -> contender.begin(tokens));
    for (int from = 0; from < prompt; from += piece) {
      int to = Math.min(prompt, from + piece);
      int begin = from;
      pieces.add(turn(from, to, contender -> contender.prompt(tokens, begin, to)));
    }
    for (int from = prompt; from < tokens.length; from += BURST) {
      int to = Math.min(tokens.length, from + BURST);
      int begin = from;
      bursts.add(turn(from, to, contender -> contender.generation(tokens, begin, to)));
    }
  }

  private Turn turn(int from, int to, Function<Contender, Measurement> read) {
    var by = new Measurement[contenders.size()];
    for (int i = 0; i < by.length; i++) {
      int next = (i + turns) % by.length;
      by[next] = read.apply(contenders.get(next));
    }
    turns++;
    return new Turn(from, to, by);
  }

  /** Results of all contenders, after one round at least. */
  List<Result> results() {
    return IntStream.range(0, contenders.size()).mapToObj(this::result).toList();
  }

  private Result result(int who) {
    List<Interval.Pairs> byPiece =
        pieces.stream()
            .mapToInt(Turn::from)
            .distinct()
            .mapToObj(from -> pairs(pieces.stream().filter(t -> t.from == from).toList(), who))
            .toList();
    return new Result(
        contenders.get(who).name(),
        spread(pieces, t -> t.tokens() / t.by[who].seconds()),
        spread(bursts, t -> t.tokens() / t.by[who].seconds()),
        Interval.of(byPiece),
        Interval.of(List.of(pairs(bursts, who))),
        spread(pieces, t -> t.extraMicroseconds(who)),
        spread(bursts, t -> t.extraMicroseconds(who)),
        spread(bursts, t -> (double) t.by[who].observedNodes() / t.tokens()),
        spread(bursts, t -> (double) t.by[who].observedBytes() / t.tokens()),
        spread(bursts, t -> (double) t.by[who].allocatedBytes() / t.tokens()));
  }

  private static Interval.Pairs pairs(List<Turn> turns, int who) {
    return new Interval.Pairs(
        turns.stream().mapToDouble(t -> t.by[who].seconds()).toArray(),
        turns.stream().mapToDouble(t -> t.by[0].seconds()).toArray());
  }

  private static Spread spread(List<Turn> turns, ToDoubleFunction<Turn> quantity) {
    return Spread.of(turns.stream().mapToDouble(quantity).toArray());
  }
}
