package org.modeltracer.gate.checks;

/** Work that several checks share, and that none of them can have when it ends the process. */
public enum Stage {
  /** llama.cpp loads the file and sets a context up. */
  LOAD("loading the model"),
  /** The model runs on the prompts with everything observed. */
  TRACE("the traced run"),
  /** llama.cpp loads the file to compare with. */
  REFERENCE("loading the reference"),
  /** Both files run on the same tokens. */
  COMPARISON("the comparison with the reference");

  private final String words;

  Stage(String words) {
    this.words = words;
  }

  /** What is done, for people. */
  String words() {
    return words;
  }
}
