package org.modeltracer.validate;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Asks the checks of a policy of a file. */
public final class Gate {
  /** Told how the checks get on. */
  public interface Progress {
    /** A check begins. */
    void onBegin(Check check);

    /** A check has ended, or was skipped. */
    void onResult(CheckResult result);
  }

  private Gate() {}

  /**
   * Judges a file. Never throws on account of the file.
   *
   * @param reference file to compare with, null for none
   * @param library llama.cpp's library, null for the embedded one
   */
  public static Judgement judge(
      Path file,
      @Nullable Path reference,
      @Nullable Path library,
      Policy policy,
      Progress progress) {
    throw new UnsupportedOperationException("worker branch");
  }
}
