package org.modeltracer.gate.checks;

import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.GgufKind;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.quant.QuantizationReport;

/**
 * The file that is being judged, and what the checks share of it: everything is made when it is
 * asked for first, and closed with the subject.
 *
 * <p>What fails the first time is not tried again: the first check to ask for it gets the error,
 * the others are skipped.
 */
public final class Subject implements AutoCloseable {
  /** Listens for shared work, so that what ends the process can be named. */
  public interface Listener {
    /** Shared work begins. */
    default void onEnter(Stage stage) {}

    /** Shared work has ended. */
    default void onLeave() {}

    /** The traced run so far, as in {@code summary.json}. */
    default void onTrace(Map<String, @Nullable Object> summary) {}

    /** llama.cpp fails an assertion of its own, and the process ends next. */
    default void onAbort(String words) {}
  }

  private final CheckRequest request;
  private final Map<Stage, String> failed = new EnumMap<>(Stage.class);
  private Listener listener = new Listener() {};
  private @Nullable GgufFile file;
  private @Nullable GgufFile referenceFile;
  private @Nullable LlamaRuntime runtime;
  private @Nullable LlamaModel model;
  private @Nullable LlamaModel reference;
  private @Nullable Prompts prompts;
  private @Nullable TracedPrompts traced;
  private @Nullable BareRuns bare;
  private @Nullable QuantizationReport compared;

  /** A file to be judged. */
  public Subject(CheckRequest request) {
    this.request = request;
  }

  /** Sets who listens, and what is known to end the process and is not to be tried again. */
  public void follow(Listener follower, Map<Stage, String> broken) {
    listener = follower;
    broken.forEach((stage, how) -> failed.put(stage, broken(stage, how)));
  }

  /** Why a check cannot be asked once shared work has ended a process. */
  public static String broken(Stage stage, String how) {
    return "needs " + stage.words() + ", in which " + how;
  }

  /** The file, and what it is compared with. */
  CheckRequest request() {
    return request;
  }

  /** What is asked of it. */
  Policy policy() {
    return request.policy();
  }

  /**
   * The file's header.
   *
   * @throws org.modeltracer.gguf.GgufException when it is malformed
   */
  GgufFile file() {
    if (file == null) {
      file = GgufFile.read(request.file());
    }
    return file;
  }

  /** Why a check cannot be asked of a file that is no model; null when it can. */
  public @Nullable String notAModel(Check check) {
    try {
      GgufKind kind = file().kind();
      if (kind == GgufKind.MODEL) {
        return null;
      }
      return check.id().equals(FileLoads.ID)
          ? kind.sentence(file()) + "; only the file was checked"
          : kind + " is not run";
    } catch (GgufException e) {
      return null;
    }
  }

  /** The reference's header; there must be one. */
  GgufFile referenceFile() {
    if (referenceFile == null) {
      referenceFile = GgufFile.read(required());
    }
    return referenceFile;
  }

  /** llama.cpp. */
  LlamaRuntime runtime() {
    if (runtime == null) {
      runtime = request.engine().runtime();
      runtime.onAbort(listener::onAbort);
    }
    return runtime;
  }

  /** The model, loaded. */
  LlamaModel model() {
    if (model == null) {
      model = shared(Stage.LOAD, () -> runtime().open(request.file(), request.engine().options()));
    }
    return model;
  }

  /** The reference, loaded; there must be one. */
  LlamaModel reference() {
    if (reference == null) {
      reference =
          shared(Stage.REFERENCE, () -> runtime().open(required(), request.engine().options()));
    }
    return reference;
  }

  /** The policy's prompts as the model reads them. */
  Prompts prompts() {
    if (prompts == null) {
      prompts = Prompts.of(this);
    }
    return prompts;
  }

  /** What the model did on the prompts. */
  TracedPrompts traced() {
    if (traced == null) {
      LlamaModel loaded = model();
      traced = shared(Stage.TRACE, () -> TracedPrompts.run(this, loaded, listener::onTrace));
    }
    return traced;
  }

  /** The model without a tracer, for runs that are compared with each other. */
  BareRuns bare() {
    if (bare == null) {
      bare = BareRuns.open(this);
    }
    return bare;
  }

  /** The file against its reference; there must be one. */
  QuantizationReport compared() {
    if (compared == null) {
      model();
      compared = shared(Stage.COMPARISON, () -> ReferenceRun.of(this, required()));
    }
    return compared;
  }

  /** Does shared work, once. */
  <T> T shared(Stage stage, Supplier<T> work) {
    String before = failed.get(stage);
    if (before != null) {
      throw new NotApplicable(before);
    }
    listener.onEnter(stage);
    try {
      return work.get();
    } catch (LlamaException e) {
      failed.put(stage, "%s failed: %s".formatted(stage.words(), e.getMessage()));
      throw e;
    } finally {
      listener.onLeave();
    }
  }

  private Path required() {
    return Objects.requireNonNull(request.reference(), "no reference");
  }

  @Override
  public void close() {
    if (bare != null) {
      bare.close();
    }
    if (reference != null) {
      reference.close();
    }
    if (model != null) {
      model.close();
    }
  }
}
