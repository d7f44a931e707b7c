package org.modeltracer.quant;

import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.Golden;

/** Texts, settings and plain runs that the tests share. */
public final class Texts {
  /** English and code, some hundred tokens of the tiny vocabulary. */
  public static final String TEXT =
      "The function returns a value to the caller. When you run the program, the compiler checks"
          + " that every name is known; if a name is not known, it says where. fn main() { let x ="
          + " vec![1, 2, 3]; for i in x.iter() { println!(\"{}\", i); } } A vector owns its"
          + " elements, and they are dropped with it. \"Read it again,\" she said, and he read"
          + " the page again, from the first line to the last. The result of the expression is"
          + " an error when the type does not implement the trait.";

  private Texts() {}

  /** Some tokens of the tiny vocabulary. */
  static int[] tokens() {
    return Golden.load("tinyllama-mha", "text64").ids();
  }

  /** A model of models/, in windows of some tokens, so many computed together. */
  public static Setup setup(String model, int window, int together) {
    return setup(Golden.model(model), window, together);
  }

  /** A model, in windows of some tokens, so many computed together. */
  public static Setup setup(Path model, int window, int together) {
    return Setup.of(model)
        .withContext(
            ContextOptions.defaults().withContextTokens(window).withBatch(together, together));
  }

  /** Logits of a text, by a run of its own without a hook: {@code [token][vocabulary]}. */
  public static float[][] logits(Setup setup, int[] tokens) {
    ContextOptions options = setup.context().withHook(false);
    float[][] logits = new float[tokens.length][];
    try (LlamaModel model = LlamaRuntime.load().open(setup.model());
        LlamaContext context = model.context(options)) {
      for (int from = 0; from < tokens.length; from += options.size().batch()) {
        Batch batch = context.batch().clear();
        int to = Math.min(tokens.length, from + options.size().batch());
        for (int i = from; i < to; i++) {
          batch.add(tokens[i], i, 0, true);
        }
        context.decode(batch);
        for (int i = from; i < to; i++) {
          logits[i] = context.logits(i - from).toArray(ValueLayout.JAVA_FLOAT);
        }
      }
    }
    return logits;
  }
}
