package org.modeltracer.kernels;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Two threads for work that falls into two lanes which share nothing that changes: the caller takes
 * the first lane, a thread of ours the second.
 *
 * <p>Where the machine has one processor only, or that thread is busy with somebody else's work,
 * the caller does one lane after the other. What comes out must not depend on it.
 */
public final class Lanes {
  /** Lanes that work falls into. */
  public static final int COUNT = 2;

  /** Looks at the other lane before the processor is given away for a while. */
  private static final int SPINS = 20_000;

  private static final long A_WHILE = 20_000;

  /** Looks for more work, which often comes soon, before the thread sleeps. */
  private static final int SOON = 2_000;

  /** Set {@code modeltracer.lanes=1} to have one thread do everything. */
  private static final boolean TWO =
      Runtime.getRuntime().availableProcessors() >= COUNT
          && Integer.getInteger("modeltracer.lanes", COUNT) > 1;

  private static final AtomicBoolean BUSY = new AtomicBoolean();

  /** Work in two lanes. */
  public interface Work {
    /** Does the part of a lane, 0 or 1. */
    void lane(int lane);
  }

  /** The thread of the second lane, started when it is needed first. */
  private static final class Second extends Thread {
    static final Second THREAD = new Second();

    private volatile @Nullable Work work;
    private @Nullable Throwable failure;

    private Second() {
      super("modeltracer-lane");
      setDaemon(true);
      start();
    }

    @Override
    public void run() {
      int looks = 0;
      while (true) {
        Work given = work;
        if (given == null && looks < SOON) {
          looks++;
          Thread.onSpinWait();
          continue;
        }
        looks = 0;
        if (given == null) {
          LockSupport.park(this);
          continue;
        }
        try {
          given.lane(1);
        } catch (Throwable thrown) {
          failure = thrown;
        }
        work = null;
      }
    }

    void begin(Work given) {
      failure = null;
      work = given;
      LockSupport.unpark(this);
    }

    void end() {
      for (int i = 0; work != null; i++) {
        if (i < SPINS) {
          Thread.onSpinWait();
        } else {
          LockSupport.parkNanos(A_WHILE);
        }
      }
    }
  }

  private Lanes() {}

  /** Does both lanes, and returns when both are done; what one of them throws is thrown. */
  public static void run(Work work) {
    if (!TWO || !BUSY.compareAndSet(false, true)) {
      work.lane(0);
      work.lane(1);
      return;
    }
    Throwable failure;
    try {
      Second second = Second.THREAD;
      second.begin(work);
      try {
        work.lane(0);
      } finally {
        second.end();
      }
      failure = second.failure;
    } finally {
      BUSY.set(false);
    }
    switch (failure) {
      case RuntimeException thrown -> throw thrown;
      case Error thrown -> throw thrown;
      case null, default -> {}
    }
  }
}
