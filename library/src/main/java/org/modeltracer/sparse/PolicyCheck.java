package org.modeltracer.sparse;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.modeltracer.model.Subscription;
import org.modeltracer.session.SessionListener;
import org.modeltracer.session.TracedSession;
import org.modeltracer.sparse.PolicyReport.LayerPolicy;
import org.modeltracer.sparse.PolicyReport.Verification;
import org.modeltracer.trace.LogitScan;
import org.modeltracer.trace.TopK;

/** Repeats prompts under a recommendation, and compares what the model predicts. */
public final class PolicyCheck {
  /** Positions of a prompt that are compared: its last, where most keys are dropped. */
  private static final int COMPARED = 64;

  private final TracedSession session;
  private final LogitScan full = new LogitScan();
  private final LogitScan cut = new LogitScan();
  private final MeanSum divergence = new MeanSum();
  private double worst;
  private int same;

  private PolicyCheck(TracedSession session) {
    this.session = session;
  }

  /**
   * Verifies a recommendation.
   *
   * @param session one without flash attention
   */
  public static Verification of(TracedSession session, PolicyReport report, List<int[]> prompts) {
    var check = new PolicyCheck(session);
    prompts.forEach(prompt -> check.compare(prompt, report));
    return new Verification(
        (int) check.divergence.count(),
        report.layers().stream().mapToDouble(LayerPolicy::predictedRecall).average().orElse(1),
        check.divergence.orZero(),
        check.worst,
        check.divergence.count() == 0 ? 1 : (double) check.same / check.divergence.count());
  }

  private void compare(int[] prompt, PolicyReport report) {
    Map<Integer, float[]> before = run(prompt);
    Map<Integer, float[]> after;
    PolicyRun under = PolicyRun.under(session, report);
    try {
      after = run(prompt);
    } finally {
      under.close();
    }
    before.forEach(
        (position, scores) -> compare(scores, Objects.requireNonNull(after.get(position))));
  }

  private void compare(float[] before, float[] after) {
    var most = new TopK(1);
    var then = new TopK(1);
    full.scan(MemorySegment.ofArray(before), 0, before.length, most);
    cut.scan(MemorySegment.ofArray(after), 0, after.length, then);
    double nats = full.divergence(cut);
    divergence.add(nats);
    worst = Math.max(worst, nats);
    same += most.index(0) == then.index(0) ? 1 : 0;
  }

  private Map<Integer, float[]> run(int[] prompt) {
    var scores = new HashMap<Integer, float[]>();
    int first = prompt.length - COMPARED;
    int vocabulary = session.context().model().vocabulary().size();
    var last =
        new SessionListener() {
          @Override
          public void onLogits(int sequence, int position, MemorySegment logits, int chosen) {
            if (position >= first) {
              scores.put(
                  position,
                  logits.asSlice(0, 4L * vocabulary).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
            }
          }
        };
    Subscription listening = session.listen(last);
    try {
      session.evaluate(prompt, true);
    } finally {
      listening.close();
    }
    return scores;
  }
}
