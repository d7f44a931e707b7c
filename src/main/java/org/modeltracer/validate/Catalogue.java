package org.modeltracer.validate;

import java.util.List;
import java.util.Optional;

/** Every check there is, in the order in which they run: cheap ones first. */
public final class Catalogue {
  private static final List<Check> CHECKS = List.of(new FileStructure());

  private Catalogue() {}

  /** All checks. */
  public static List<Check> checks() {
    return CHECKS;
  }

  /** A check by its name. */
  public static Optional<Check> find(String id) {
    return CHECKS.stream().filter(c -> c.id().equals(id)).findFirst();
  }
}
