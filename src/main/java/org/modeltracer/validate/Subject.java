package org.modeltracer.validate;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.ModelOptions;

/**
 * The file that is being judged, and what the checks share of it: everything is opened when it is
 * asked for first, and closed with the subject.
 */
public final class Subject implements AutoCloseable {
  private final Path path;
  private final Policy policy;
  private final @Nullable Path referencePath;
  private final @Nullable Path library;
  private @Nullable GgufFile file;
  private @Nullable GgufFile referenceFile;
  private @Nullable LlamaRuntime runtime;
  private @Nullable LlamaModel model;
  private @Nullable LlamaModel reference;

  /**
   * A file to be judged.
   *
   * @param referencePath file it is compared with, null for none
   * @param library llama.cpp's library, null for the embedded one
   */
  public Subject(Path path, @Nullable Path referencePath, @Nullable Path library, Policy policy) {
    this.path = path;
    this.referencePath = referencePath;
    this.library = library;
    this.policy = policy;
  }

  /** The file. */
  public Path path() {
    return path;
  }

  /** What is asked of it. */
  public Policy policy() {
    return policy;
  }

  /** The file it is compared with, null for none. */
  public @Nullable Path referencePath() {
    return referencePath;
  }

  /**
   * The file's header.
   *
   * @throws org.modeltracer.gguf.GgufException when it is malformed
   */
  public GgufFile file() {
    if (file == null) {
      file = GgufFile.read(path);
    }
    return file;
  }

  /** The reference's header; there must be one. */
  public GgufFile referenceFile() {
    if (referenceFile == null) {
      referenceFile = GgufFile.read(required());
    }
    return referenceFile;
  }

  /** llama.cpp. */
  public LlamaRuntime runtime() {
    if (runtime == null) {
      runtime = LlamaRuntime.loadFrom(library);
    }
    return runtime;
  }

  /** The model, loaded. */
  public LlamaModel model() {
    if (model == null) {
      model = runtime().open(path, ModelOptions.defaults());
    }
    return model;
  }

  /** The reference, loaded; there must be one. */
  public LlamaModel reference() {
    if (reference == null) {
      reference = runtime().open(required(), ModelOptions.defaults());
    }
    return reference;
  }

  private Path required() {
    if (referencePath == null) {
      throw new IllegalStateException("no reference");
    }
    return referencePath;
  }

  @Override
  public void close() {
    if (reference != null) {
      reference.close();
    }
    if (model != null) {
      model.close();
    }
  }
}
