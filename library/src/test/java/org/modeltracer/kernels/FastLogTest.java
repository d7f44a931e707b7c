package org.modeltracer.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

class FastLogTest {
  @Test
  void agreesWithTheLibraryOverTheWholeRange() {
    var random = new Random(3);
    for (int i = 0; i < 200_000; i++) {
      float x = (float) Math.exp(-88 * random.nextDouble());
      assertThat(FastLog.log(x)).isEqualTo(Math.log(x), within(1e-7));
    }
    assertThat(FastLog.log(Float.MIN_VALUE)).isEqualTo(Math.log(Float.MIN_VALUE));
    assertThat(FastLog.log(1)).isEqualTo(0, within(1e-7));
  }
}
