package org.modeltracer.gate.checks;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.llama.Engine;

/**
 * A file to be checked.
 *
 * @param file the file
 * @param reference the file to compare with, null for none
 * @param engine what runs both
 * @param policy what is asked of the file
 */
public record CheckRequest(Path file, @Nullable Path reference, Engine engine, Policy policy) {

  /** A file on its own, on the default llama.cpp. */
  public static CheckRequest of(Path file, Policy policy) {
    return new CheckRequest(file, null, Engine.usual(), policy);
  }
}
