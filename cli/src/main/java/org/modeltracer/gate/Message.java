package org.modeltracer.gate;

import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Stage;

/** What a worker process reports to the one that watches it. */
@JsonTypeInfo(use = JsonTypeInfo.Id.SIMPLE_NAME)
sealed interface Message {
  /** A check begins. */
  record Begin(String check) implements Message {}

  /** Shared work begins, within a check. */
  record Enter(Stage stage) implements Message {}

  /** Shared work has ended. */
  record Leave() implements Message {}

  /** A check has ended. */
  record Result(CheckResult result) implements Message {}

  /** The traced run so far, as in {@code summary.json}. */
  record Trace(Map<String, @Nullable Object> summary) implements Message {}

  /** llama.cpp fails an assertion of its own, and the process ends next. */
  record LastWords(String words) implements Message {}

  /** All checks have ended. */
  record End() implements Message {}
}
