package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;

/** Of keys with equal scores any may be selected; of others not. */
class KeyChoiceTest {
  private static final int KEYS = 5;
  private static final NodePair SCORE = pair(Site.OTHER, "LIGHTNING_INDEXER");
  private static final NodePair ATTENTION = pair(Site.ATTENTION, "FLASH_ATTN_EXT");
  private static final NodePair CONTEXT = pair(Site.CONTEXT, "RESHAPE");

  private static NodePair pair(Site site, String op) {
    var node = new NodeInfo(0, new Place(site, 1), "", op, "", KEYS, null);
    return new NodePair(0, node, node);
  }

  private static MemorySegment row(float... values) {
    return MemorySegment.ofArray(values);
  }

  private static KeyChoice scored() {
    var choice = new KeyChoice();
    choice.scored(SCORE, 7, 1, KEYS, row(2, 0, 1, 0, Float.NEGATIVE_INFINITY));
    return choice;
  }

  private static boolean free(KeyChoice choice, NodePair pair, int at, float[] a, float[] b) {
    return choice.free(pair, at, 0, 0, KEYS, row(a), row(b));
  }

  @Test
  void anyOfEqualScores() {
    KeyChoice choice = scored();
    float[] second = {0.5f, 0.2f, 0.3f, 0, 0};
    float[] fourth = {0.5f, 0, 0.3f, 0.2f, 0};
    assertThat(free(choice, ATTENTION, 7, second, fourth)).isTrue();
    assertThat(free(choice, CONTEXT, 7, second, fourth)).isTrue();
    assertThat(choice.free(CONTEXT, 7, 1, 0, KEYS, row(second), row(fourth))).isFalse();
  }

  @Test
  void noneOfAnotherScore() {
    KeyChoice choice = scored();
    float[] best = {0.5f, 0.2f, 0.3f, 0, 0};
    float[] worse = {0, 0.2f, 0.3f, 0.5f, 0};
    assertThat(free(choice, ATTENTION, 7, best, worse)).isFalse();
    assertThat(free(choice, CONTEXT, 7, best, worse)).isFalse();
  }

  @Test
  void theSameKeysAreJudged() {
    float[] one = {0.5f, 0.2f, 0.3f, 0, 0};
    float[] other = {0.4f, 0.3f, 0.3f, 0, 0};
    assertThat(free(scored(), ATTENTION, 7, one, other)).isFalse();
  }

  @Test
  void aTieOfOneBatchFreesNothingInTheNext() {
    KeyChoice choice = scored();
    float[] second = {0.5f, 0.2f, 0.3f, 0, 0};
    float[] fourth = {0.5f, 0, 0.3f, 0.2f, 0};
    assertThat(free(choice, ATTENTION, 7, second, fourth)).isTrue();
    choice.scored(SCORE, 8, 1, KEYS, row(2, 0, 1, 0, Float.NEGATIVE_INFINITY));
    assertThat(free(choice, CONTEXT, 8, second, fourth)).isFalse();
    assertThat(free(choice, ATTENTION, 8, second, second)).isFalse();
    assertThat(free(choice, CONTEXT, 8, second, fourth)).isFalse();
  }

  @Test
  void scoresOfAnotherBatchSayNothing() {
    float[] second = {0.5f, 0.2f, 0.3f, 0, 0};
    float[] fourth = {0.5f, 0, 0.3f, 0.2f, 0};
    assertThat(free(scored(), ATTENTION, 8, second, fourth)).isFalse();
  }
}
