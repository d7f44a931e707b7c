package org.modeltracer.testing;

import java.lang.foreign.MemorySegment;
import java.util.Set;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.session.Replay;
import org.modeltracer.session.SessionListener;

/** Listeners to one kind of event, as functions. */
public final class Listening {
  private Listening() {}

  public interface States {
    void onState(
        int layer, int sequence, int position, MemorySegment values, long offset, int width);
  }

  public interface Rows {
    void onRow(
        Place place, int sequence, int position, MemorySegment values, long offset, int width);
  }

  public interface Logits {
    void onLogits(int sequence, int position, MemorySegment logits);
  }

  public interface Prompts {
    void onPrompt(int done, int all);
  }

  public interface Passes {
    void onAnomalousPass(Anomaly worst, Replay replay);
  }

  public static SessionListener states(States to) {
    return new SessionListener() {
      @Override
      public boolean states() {
        return true;
      }

      @Override
      public void onState(
          int layer, int sequence, int position, MemorySegment values, long offset, int width) {
        to.onState(layer, sequence, position, values, offset, width);
      }
    };
  }

  public static SessionListener rows(Set<Site> sites, Rows to) {
    return new SessionListener() {
      @Override
      public Set<Site> rows() {
        return sites;
      }

      @Override
      public void onRow(
          Place place, int sequence, int position, MemorySegment values, long offset, int width) {
        to.onRow(place, sequence, position, values, offset, width);
      }
    };
  }

  public static SessionListener logits(Logits to) {
    return new SessionListener() {
      @Override
      public void onLogits(int sequence, int position, MemorySegment logits, int chosen) {
        to.onLogits(sequence, position, logits);
      }
    };
  }

  public static SessionListener prompts(Prompts to) {
    return new SessionListener() {
      @Override
      public void onPrompt(int done, int all) {
        to.onPrompt(done, all);
      }
    };
  }

  public static SessionListener passes(Passes to) {
    return new SessionListener() {
      @Override
      public void onAnomalousPass(Anomaly worst, Replay replay) {
        to.onAnomalousPass(worst, replay);
      }
    };
  }
}
