package org.modeltracer.trace;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;

class ListenerTest {
  private final List<String> told = new ArrayList<>();
  private final TraceListener listener =
      new TraceListener() {
        @Override
        public void onForward(int forward, int firstPosition, int tokens) {
          told.add("forward " + forward + " at " + firstPosition + " of " + tokens);
        }

        @Override
        public void onForwardEnd(int forward) {
          told.add("end " + forward);
        }

        @Override
        public void onAnomaly(Anomaly anomaly) {
          told.add("anomaly " + anomaly.id());
        }

        @Override
        public void onAttentionRow(AttentionRow row) {
          told.add("row L" + row.layer() + "H" + row.head());
        }

        @Override
        public void onToken(int step, int token, byte[] piece) {
          told.add("token " + step + " of " + piece.length);
        }

        @Override
        public void onEnd(List<Anomaly> anomalies) {
          told.add("over: " + anomalies.size());
        }
      };

  @Test
  void everythingIsToldInOrderAndOnce() {
    Toy toy =
        new Toy(TracerConfig.builder().activations(true).attention(true).heads(List.of(1)).build());
    toy.tracer.addListener(listener);
    toy.step();
    bad(toy);
    toy.tracer.close();
    toy.tracer.close();
    assertThat(told)
        .containsExactly(
            "forward 0 at 0 of 1",
            "row L0H1",
            "row L1H1",
            "row L2H1",
            "row L3H1",
            "token 1 of 2",
            "end 0",
            "forward 1 at 1 of 1",
            "anomaly 1",
            "end 1",
            "over: 1");
  }

  @Test
  void nobodyIsToldTwice() {
    List<Level> logged = new ArrayList<>();
    Handler handler =
        new Handler() {
          @Override
          public void publish(LogRecord line) {
            logged.add(line.getLevel());
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    Logger logger = Logger.getLogger("org.modeltracer");
    logger.addHandler(handler);
    logger.setUseParentHandlers(false);
    try {
      Toy listened = new Toy(TracerConfig.lightweight());
      listened.tracer.addListener(listener);
      bad(listened);
      assertThat(logged).isEmpty();
      bad(new Toy(TracerConfig.lightweight()));
      assertThat(logged).containsExactly(Level.WARNING);
    } finally {
      logger.removeHandler(handler);
      logger.setUseParentHandlers(true);
    }
  }

  private static void bad(Toy toy) {
    toy.tracer.beginForward(toy.step, 1);
    toy.observe(new Place(Site.FFN_OUT, 2), "ffn_out-2", 5, Float.NaN);
    toy.tracer.endForward();
  }
}
