package org.modeltracer.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.modeltracer.cli.terminal.Spread;

/**
 * Rounds of measurements of several contenders, interleaved so that a change of the machine's speed
 * meets all of them.
 *
 * <p>Each contender is compared with the first one of the same round; a round before the first is
 * not counted. Every round begins with another contender.
 */
final class Contest {
  /**
   * What became of one contender.
   *
   * @param mode its name
   * @param promptTokensPerSecond speed of the prompt
   * @param generationTokensPerSecond speed of generation
   * @param promptTimeRatio time of the prompt, that of the first contender being 1
   * @param generationTimeRatio time of generation, that of the first contender being 1
   * @param observedNodesPerToken nodes whose values were read for a generated token
   * @param observedBytesPerToken bytes reduced to statistics for a generated token
   * @param allocatedBytesPerToken bytes that Java allocated for a generated token
   */
  record Result(
      String mode,
      Spread promptTokensPerSecond,
      Spread generationTokensPerSecond,
      Spread promptTimeRatio,
      Spread generationTimeRatio,
      Spread observedNodesPerToken,
      Spread observedBytesPerToken,
      Spread allocatedBytesPerToken) {}

  private final List<Contender> contenders;
  private final int[] prompt;
  private final int generated;
  private final List<List<Contender.Measurement>> rounds = new ArrayList<>();

  Contest(List<Contender> contenders, int[] prompt, int generated) {
    this.contenders = contenders;
    this.prompt = prompt;
    this.generated = generated;
  }

  /** Runs a round that counts for nothing. */
  void warmUp() {
    contenders.forEach(c -> c.measure(prompt, generated));
  }

  /** Runs a round. */
  void round() {
    var round = new Contender.Measurement[contenders.size()];
    for (int i = 0; i < round.length; i++) {
      int turn = (i + rounds.size()) % round.length;
      round[turn] = contenders.get(turn).measure(prompt, generated);
    }
    rounds.add(List.of(round));
  }

  /** Results of all contenders, after one round at least. */
  List<Result> results() {
    return IntStream.range(0, contenders.size()).mapToObj(this::result).toList();
  }

  private Result result(int contender) {
    return new Result(
        contenders.get(contender).name(),
        spread(r -> prompt.length / r.get(contender).promptSeconds()),
        spread(r -> generated / r.get(contender).generationSeconds()),
        spread(r -> r.get(contender).promptSeconds() / r.getFirst().promptSeconds()),
        spread(r -> r.get(contender).generationSeconds() / r.getFirst().generationSeconds()),
        spread(r -> (double) r.get(contender).observedNodes() / generated),
        spread(r -> (double) r.get(contender).observedBytes() / generated),
        spread(r -> (double) r.get(contender).allocatedBytes() / generated));
  }

  private Spread spread(ToDoubleFunction<List<Contender.Measurement>> quantity) {
    return Spread.of(rounds.stream().mapToDouble(quantity).toArray());
  }
}
