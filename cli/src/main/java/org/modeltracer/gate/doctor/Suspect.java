package org.modeltracer.gate.doctor;

import java.util.List;

/**
 * One thing that may be wrong.
 *
 * @param illness what it is
 * @param finding what was found, in one sentence
 * @param evidence more that speaks for it, a sentence each
 */
public record Suspect(Illness illness, String finding, List<String> evidence) {
  /** Copies the list. */
  public Suspect {
    evidence = List.copyOf(evidence);
  }

  /** The answer, as a sentence. */
  public String sentence() {
    return illness.sentence() + ": " + finding + (finding.endsWith(".") ? "" : ".");
  }
}
