package org.modeltracer.gate;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.checks.Stage;
import org.modeltracer.gate.policy.Policy;

/**
 * What a worker process is asked to do.
 *
 * @param file the file
 * @param reference the file to compare with, null for none
 * @param library llama.cpp's library, null for the default
 * @param policy what is asked
 * @param checks names of the checks, in the order in which to run
 * @param broken work that ended a process before this one, and how
 */
record Job(
    String file,
    @Nullable String reference,
    @Nullable String library,
    Policy policy,
    List<String> checks,
    Map<Stage, String> broken) {

  /** Copies the collections. */
  Job {
    checks = List.copyOf(checks);
    broken = Map.copyOf(broken);
  }

  /** The same for what is left to do. */
  Job with(List<String> left, Map<Stage, String> nowBroken) {
    return new Job(file, reference, library, policy, left, nowBroken);
  }
}
