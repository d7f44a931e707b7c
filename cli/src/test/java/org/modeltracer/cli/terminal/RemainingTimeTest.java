package org.modeltracer.cli.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RemainingTimeTest {
  @ParameterizedTest
  @CsvSource({
    // Too early to tell, or nothing to tell by.
    "1, 10, 100, ''",
    "60, 0, 100, ''",
    "10, 10, 100, 1:30 left",
    "10, 90, 100, 0:01 left",
    "3600, 1, 3, 2:00:00 left",
    "100, 100, 100, 0:00 left"
  })
  void theRestGoesOnAsTheBeginningWent(long seconds, long done, long all, String words) {
    long elapsed = Duration.ofSeconds(seconds).toNanos();
    assertThat(RemainingTime.of(elapsed, done, all).words()).isEqualTo(words);
  }
}
