package org.modeltracer.gate;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.checks.Stage;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.llama.Engine;

/**
 * What a worker process is asked to do, as it reads it from its standard input.
 *
 * @param token word before each line that it writes, unlike anything that native code prints
 * @param file the file
 * @param reference the file to compare with, null for none
 * @param engine what runs both
 * @param policy what is asked
 * @param checks names of the checks, in the order in which to run
 * @param broken work that ended a process before this one, and how
 */
record Job(
    String token,
    Path file,
    @Nullable Path reference,
    Engine engine,
    Policy policy,
    List<String> checks,
    Map<Stage, String> broken) {

  /** Copies the collections. */
  Job {
    checks = List.copyOf(checks);
    broken = Map.copyOf(broken);
  }

  /** The same for what is left to do. */
  Job with(String newToken, List<String> left, Map<Stage, String> nowBroken) {
    return new Job(newToken, file, reference, engine, policy, left, nowBroken);
  }
}
