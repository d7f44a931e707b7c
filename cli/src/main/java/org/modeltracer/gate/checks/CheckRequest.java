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
 * @param klBase the stored predictions of a reference that is not at hand, null for none
 * @param engine what runs both
 * @param policy what is asked of the file
 */
public record CheckRequest(
    Path file, @Nullable Path reference, @Nullable Path klBase, Engine engine, Policy policy) {

  /** A file on its own, on the default llama.cpp. */
  public static CheckRequest of(Path file, Policy policy) {
    return new CheckRequest(file, null, null, Engine.usual(), policy);
  }

  /** The same beside a reference. */
  public CheckRequest against(@Nullable Path other) {
    return new CheckRequest(file, other, klBase, engine, policy);
  }

  /** The same beside a reference's stored predictions. */
  public CheckRequest againstStored(@Nullable Path logits) {
    return new CheckRequest(file, reference, logits, engine, policy);
  }

  /** The same on another llama.cpp. */
  public CheckRequest on(Engine other) {
    return new CheckRequest(file, reference, klBase, other, policy);
  }
}
