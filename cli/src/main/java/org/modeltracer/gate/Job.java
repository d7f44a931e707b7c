package org.modeltracer.gate;

import java.util.List;
import java.util.Map;
import org.modeltracer.gate.checks.CheckRequest;
import org.modeltracer.gate.checks.Stage;

/**
 * What a worker process is asked to do.
 *
 * @param request the file, and what is asked of it
 * @param checks names of the checks, in the order in which to run
 * @param broken work that ended a process before this one, and how
 */
record Job(CheckRequest request, List<String> checks, Map<Stage, String> broken) {
  /** Copies the collections. */
  Job {
    checks = List.copyOf(checks);
    broken = Map.copyOf(broken);
  }
}
