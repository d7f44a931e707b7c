package org.modeltracer.trace;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.modeltracer.anomaly.Anomaly;

/** The healthy hot path leaves no garbage, whatever the length of the run. */
@Tag("alone")
class AllocationTest {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  @Test
  void lightweightStepsAllocateNothing() {
    assertSteadyState(TracerConfig.lightweight());
  }

  @Test
  void tracingLogitsAllocatesNothing() {
    assertSteadyState(TracerConfig.builder().activations(true).logits(true).kvCache(true).build());
  }

  private static void assertSteadyState(TracerConfig config) {
    Toy toy = new Toy(config);
    run(toy, 20_000);
    long before = THREADS.getCurrentThreadAllocatedBytes();
    run(toy, 5_000);
    long perStep = (THREADS.getCurrentThreadAllocatedBytes() - before) / 5_000;
    assertThat(perStep).isZero();
    assertThat(toy.tracer.summary().totalForwards()).isEqualTo(25_000);
  }

  private static void run(Toy toy, int steps) {
    for (int i = 0; i < steps; i++) {
      Anomaly anomaly = toy.step();
      if (anomaly != null) {
        throw new AssertionError("a healthy run has no anomaly: " + anomaly);
      }
    }
  }
}
