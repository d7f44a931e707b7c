package org.modeltracer.quant;

import org.modeltracer.llama.ContextOptions;
import org.modeltracer.testing.Golden;

/** Texts and settings that the tests of this package share. */
final class Texts {
  private Texts() {}

  /** English and code, some hundred tokens of the tiny vocabulary. */
  static final String TEXT =
      "The function returns a value to the caller. When you run the program, the compiler checks"
          + " that every name is known; if a name is not known, it says where. fn main() { let x ="
          + " vec![1, 2, 3]; for i in x.iter() { println!(\"{}\", i); } } A vector owns its"
          + " elements, and they are dropped with it. \"Read it again,\" she said, and he read"
          + " the page again, from the first line to the last. The result of the expression is"
          + " an error when the type does not implement the trait.";

  /** Tokens of a golden prompt. */
  static int[] golden(String prompt) {
    return Golden.load("tinyllama-mha", prompt).ids();
  }

  /** A model, small windows, so that there are several. */
  static Setup setup(String model, int window, int together) {
    return Setup.of(Golden.model(model))
        .withContext(
            ContextOptions.defaults().withContextTokens(window).withBatch(together, together));
  }
}
